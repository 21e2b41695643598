export * from './backoff.ts';
export {
  type ByteChannel,
  type ChannelEnd,
  ChunkQueue,
  channelPair,
  NORMAL_END,
} from './channels/byte-channel.ts';
export * from './channels/join.ts';
export * from './channels/stream-channel.ts';
export * from './channels/upgrades.ts';
export * from './channels/websocket.ts';
export * from './clock.ts';
export * from './concurrency.ts';
export * from './disk-images/inspect.ts';
export * from './disk-images/inspection.ts';
export * from './disk-images/qcow2-header.ts';
export * from './files.ts';
export * from './http/app.ts';
export * from './http/coalesce.ts';
export * from './http/json-client.ts';
export * from './http/listen.ts';
export * from './http/problem.ts';
export { isPublicAddress } from './http/public-address.ts';
export * from './http/server-pool.ts';
export type * from './http/tls.ts';
export * from './http/transport.ts';
export * from './http/undici-transport.ts';
export * from './lifecycle.ts';
export * from './log.ts';
export * from './priority.ts';
export * from './process-identity.ts';
export * from './process-lock.ts';
export * from './random.ts';
export * from './repeater.ts';
export * from './secret-box.ts';
export * from './settings.ts';
export * from './shared-storage/storage-helper.ts';
export * from './start-error.ts';
export * from './traversal.ts';
export * from './turn.ts';
