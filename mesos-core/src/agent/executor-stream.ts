import { Readable } from 'node:stream';
import type { Clock } from '@factory/runtime';
import {
  type Encoding,
  type ExecutorEvent,
  encodeMessage,
  encodeRecord,
  MEDIA_TYPES,
} from '../protocol/index.ts';
import type { ExecutorConnection } from './state.ts';

/** The agent's side of an executor's event stream. */
export interface ExecutorStream extends ExecutorConnection {
  readonly contentType: string;
  /** What the answer to SUBSCRIBE carries. */
  readonly body: Readable;
}

/**
 * A stream of RecordIO events with heartbeats. An executor that lets more than `bufferBytesMax`
 * bytes wait is cut off; it will subscribe again and be told what it missed.
 */
export function openExecutorStream(options: {
  readonly clock: Clock;
  readonly encoding: Encoding;
  readonly heartbeatIntervalMs: number;
  readonly bufferBytesMax: number;
  readonly onClosed: () => void;
}): ExecutorStream {
  const { clock, encoding, heartbeatIntervalMs, bufferBytesMax } = options;
  const body = new Readable({ read: () => undefined });
  let isOpen = true;
  const send = (events: readonly ExecutorEvent[]): void => {
    if (!isOpen) return;
    const records = events.map((event) =>
      encodeRecord(encodeMessage('executor.Event', encoding, event)),
    );
    body.push(Buffer.concat(records));
    if (body.readableLength > bufferBytesMax) body.destroy();
  };
  const beat = (): void => {
    send([{ type: 'HEARTBEAT' }]);
    timer = clock.after(heartbeatIntervalMs, beat);
  };
  let timer = clock.after(heartbeatIntervalMs, beat);
  const finish = (): void => {
    if (!isOpen) return;
    isOpen = false;
    timer.cancel();
    options.onClosed();
  };
  // A connection that breaks is reported as an error too; `close` follows in any case.
  body.on('error', () => undefined);
  body.on('close', finish);
  return {
    contentType: MEDIA_TYPES[encoding],
    body,
    send,
    close() {
      finish();
      body.push(null);
    },
  };
}
