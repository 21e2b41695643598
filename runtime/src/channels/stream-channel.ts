import type { Duplex } from 'node:stream';
import { type ByteChannel, type ChannelEnd, ChunkQueue, NORMAL_END } from './byte-channel.ts';

/** A socket or another stream of bytes as a channel; `end` is how its own end is told of. */
export function streamChannel(stream: Duplex, end: ChannelEnd = NORMAL_END): ByteChannel {
  const ended = Promise.withResolvers<ChannelEnd>();
  const queue = new ChunkQueue(() => stream.resume());
  let ours: ChannelEnd | undefined;
  let room: PromiseWithResolvers<void> | undefined;
  stream.on('data', (bytes: Uint8Array) => {
    if (!queue.push(bytes)) stream.pause();
  });
  stream.on('drain', () => room?.resolve());
  // The close follows.
  stream.on('error', () => undefined);
  stream.on('end', () => stream.destroy());
  stream.once('close', () => {
    queue.end();
    room?.resolve();
    ended.resolve(ours ?? end);
  });
  return {
    received: queue,
    ended: ended.promise,
    async send(bytes) {
      if (!stream.writable || stream.write(bytes)) return;
      room = Promise.withResolvers<void>();
      await room.promise;
    },
    close(why) {
      if (ours !== undefined || stream.destroyed) return;
      ours = why;
      queue.end();
      // What was written goes out first.
      stream.end(() => stream.destroy());
    },
  };
}
