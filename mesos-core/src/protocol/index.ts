export * from './agent-protocol.ts';
export * from './agent-subscribe.ts';
export * from './attributes.ts';
export * from './bytes.ts';
export {
  CodecError,
  decodeMessage,
  decodeProtobuf,
  type Encoding,
  encodeMessage,
  encodeProtobuf,
  fromJson,
  type MessageName,
  messageNames,
  toJson,
} from './codec.ts';
export * from './content-type.ts';
export * from './duration.ts';
export * from './ids.ts';
export { encodePieces, jsonPieces, LazyList, LazyMessage, LazyObject } from './lazy-message.ts';
export type * from './messages.ts';
export * from './older-form.ts';
export * from './recordio.ts';
export * from './resource-conversions.ts';
export { identityOf, isIndivisible, reservationsOf } from './resource-identity.ts';
export { formatResource, formatResources, parseResources } from './resource-text.ts';
export * from './resource-validation.ts';
export * from './resources.ts';
export * from './roles.ts';
export * from './task-user.ts';
export * from './uuid.ts';
export * from './validation.ts';
export * from './values.ts';
