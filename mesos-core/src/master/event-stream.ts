import { Readable } from 'node:stream';
import { atTurnEnd, type Clock, type Timer } from '@factory/runtime';
import { encodeRecord } from '../protocol/index.ts';
import { type EventSource, PacedEvents } from './paced-events.ts';

/** A reader that lets more than this wait is cut off; it subscribes again and is told anew. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;
/** Events that can wait are not made while the reader has more than this before it. */
const PACED_BYTES_MAX = 1024 * 1024;
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
  /**
   * Sends events that are made while they are sent: in slices, and at the reader's pace. Others are
   * sent between them. A reader that has too many of them waiting is cut off.
   * @param countMax how many there are at the most.
   */
  sendPaced(events: EventSource<Event>, countMax: number): void;
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
  const paced = new PacedEvents<Event>();
  const body = new Readable({ read: () => sendSliceSoon() });
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
  const sendSlice = (): void => {
    // With more than this before it, the reader asks for more when it has taken it.
    if (!isOpen || body.readableLength + pendingBytes > PACED_BYTES_MAX) return;
    paced.makeSlice(send);
    sendSliceSoon();
  };
  let isSliceDue = false;
  const sendSliceSoon = (): void => {
    if (isSliceDue || paced.isEmpty) return;
    isSliceDue = true;
    atTurnEnd(() => {
      isSliceDue = false;
      sendSlice();
    });
  };
  const sendPaced = (events: EventSource<Event>, countMax: number): void => {
    if (!isOpen || body.destroyed) return;
    const isFirst = paced.isEmpty;
    if (!paced.add(events, countMax)) body.destroy();
    else if (isFirst) sendSlice();
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
    paced.clear();
    if (!isOpen) return;
    isOpen = false;
    options.onClosed();
  });
  return {
    id,
    body,
    send,
    sendEncoded,
    sendPaced,
    end() {
      if (!isOpen) return;
      isOpen = false;
      paced.clear();
      timer.cancel();
      timer = clock.after(LAST_WORDS_MS, () => body.destroy());
      if (pending.length > 0) flush();
      body.push(null);
    },
  };
}
