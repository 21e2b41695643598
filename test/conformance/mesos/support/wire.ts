import {
  decodeMessage,
  type Encoding,
  encodeMessage,
  type MessageTypes,
} from '../../../../mesos-core/src/protocol/index.ts';
import { noteTraffic } from './traffic.ts';

/** Both of Mesos' encodings: every case runs in each. */
export const ENCODINGS: readonly Encoding[] = ['json', 'protobuf'];

export type { Encoding };

/** The `Content-Type` and `Accept` of an encoding. */
export function mediaType(encoding: Encoding): string {
  return encoding === 'json' ? 'application/json' : 'application/x-protobuf';
}

/** JSON goes as it is, so that the codec under test has no say in it. */
export function encode<N extends keyof MessageTypes>(
  encoding: Encoding,
  name: N,
  message: MessageTypes[N],
): Uint8Array {
  return encoding === 'json'
    ? Buffer.from(JSON.stringify(message))
    : encodeMessage(name, encoding, message);
}

/** A message of the master or agent, which counts as received; JSON is taken as it is. */
export function decode<N extends keyof MessageTypes>(
  encoding: Encoding,
  name: N,
  bytes: Uint8Array,
): MessageTypes[N] {
  const message: MessageTypes[N] =
    encoding === 'json'
      ? JSON.parse(Buffer.from(bytes).toString('utf8'))
      : decodeMessage(name, encoding, bytes);
  noteTraffic(encoding, name, message);
  return message;
}
