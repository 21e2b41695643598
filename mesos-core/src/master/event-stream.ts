import { Readable } from 'node:stream';
import { atTurnEnd, type Clock, type Timer } from '@factory/runtime';
import { encodeRecord } from '../protocol/index.ts';

/** A reader that lets more than this wait is cut off; it subscribes again and is told anew. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;
/** A reader that has not taken the rest of an ended answer after this long is cut off too. */
const LAST_WORDS_MS = 30_000;

/** The sending side of one subscriber's endless answer. */
export interface EventStream<Event> {
  readonly id: string;
  /** What the answer to SUBSCRIBE carries. */
  readonly body: Readable;
  send(event: Event): void;
  /** Sends an event that is encoded already, in pieces: a large one is not copied. */
  sendEncoded(pieces: readonly Uint8Array[]): void;
  /** Ends the answer in an orderly way; `onClosed` is not called. */
  end(): void;
}

/** Opens a stream of RecordIO events with heartbeats. */
export function openEventStream<Event>(options: {
  readonly id: string;
  readonly clock: Clock;
  readonly encode: (event: Event) => Uint8Array;
  readonly heartbeat: Event;
  readonly heartbeatIntervalMs: number;
  /** A reader that lets more than this wait is cut off; default 16 MiB. */
  readonly bufferBytesMax?: number;
  /** The peer went away, or was cut off. */
  readonly onClosed: () => void;
}): EventStream<Event> {
  const { id, clock, encode, heartbeat, heartbeatIntervalMs } = options;
  const { bufferBytesMax = BUFFER_BYTES_MAX } = options;
  const body = new Readable({ read: () => undefined });
  let isOpen = true;
  let timer: Timer;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const flush = (): void => {
    const [first] = pending;
    const records = pending.length === 1 ? first : Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    if (records !== undefined && !body.destroyed) body.push(records);
  };
  const send = (event: Event): void => {
    if (!isOpen || body.destroyed) return;
    const record = encodeRecord(encode(event));
    pending.push(record);
    pendingBytes += record.length;
    if (pending.length === 1) atTurnEnd(flush);
    if (body.readableLength + pendingBytes > bufferBytesMax) body.destroy();
  };
  const sendEncoded = (pieces: readonly Uint8Array[]): void => {
    if (!isOpen || body.destroyed) return;
    flush();
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    body.push(Buffer.from(`${length}\n`));
    for (const piece of pieces) body.push(piece);
    if (body.readableLength > bufferBytesMax) body.destroy();
  };
  const scheduleHeartbeat = (): void => {
    timer = clock.after(heartbeatIntervalMs, () => {
      send(heartbeat);
      scheduleHeartbeat();
    });
  };
  scheduleHeartbeat();
  // A connection that breaks is reported as an error too; `close` follows in any case.
  body.on('error', () => undefined);
  body.on('close', () => {
    timer.cancel();
    if (!isOpen) return;
    isOpen = false;
    options.onClosed();
  });
  return {
    id,
    body,
    send,
    sendEncoded,
    end() {
      if (!isOpen) return;
      isOpen = false;
      timer.cancel();
      timer = clock.after(LAST_WORDS_MS, () => body.destroy());
      if (pending.length > 0) flush();
      body.push(null);
    },
  };
}
