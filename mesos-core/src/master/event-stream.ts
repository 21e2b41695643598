import { atTurnEnd, type Clock, type Timer } from '@factory/runtime';
import type { EventBody, EventSink } from '../http/event-sink.ts';
import { encodeRecord } from '../protocol/index.ts';
import { type EventSource, PacedEvents } from './paced-events.ts';

/** A reader that lets more than this wait is cut off; it subscribes again and is told anew. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;
/** Events that can wait are not made while the reader has more than this before it. */
const PACED_BYTES_MAX = 1024 * 1024;
/** A reader that has not taken the rest of an ended answer after this long is cut off too. */
const LAST_WORDS_MS = 30_000;

export interface EventStreamOptions<Event> {
  readonly id: string;
  readonly clock: Clock;
  readonly encode: (event: Event) => Uint8Array;
  readonly heartbeat: Event;
  readonly heartbeatIntervalMs: number;
  /** A reader that lets more than this wait is cut off; default 16 MiB. */
  readonly bufferBytesMax?: number;
  /** The peer went away, or was cut off. */
  readonly onClosed: () => void;
}

/**
 * The sending side of one subscriber's endless answer: RecordIO events, with heartbeats. Those of one
 * turn of the event loop are written together. A class, for there is one for each of thousands of
 * agents.
 */
export class EventStream<Event> implements EventBody {
  readonly id: string;
  readonly #options: EventStreamOptions<Event>;
  readonly #paced = new PacedEvents<Event>();
  /** Ended streams have said all; those that were cut off, or whose reader left, say no more. */
  #phase: 'open' | 'ended' | 'broken' = 'open';
  #sink: EventSink | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #timer: Timer;
  #isSliceDue = false;

  constructor(options: EventStreamOptions<Event>) {
    this.id = options.id;
    this.#options = options;
    this.#timer = this.#nextHeartbeat();
  }

  /** Whether anything more can be said. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Sends an event; a reader that lets too many of them wait is cut off. */
  send(event: Event): void {
    if (!this.isOpen) return;
    this.#write(encodeRecord(this.#options.encode(event)));
  }

  /** Sends an event that is encoded already, in pieces: a large one is not copied. */
  sendEncoded(pieces: readonly Uint8Array[]): void {
    if (!this.isOpen) return;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#write(Buffer.from(`${length}\n`));
    for (const piece of pieces) this.#write(piece);
  }

  /**
   * Sends events that are made while they are sent: in slices, and at the reader's pace. Others are
   * sent between them. A reader that has too many of them waiting is cut off.
   * @param countMax how many there are at the most.
   */
  sendPaced(events: EventSource<Event>, countMax: number): void {
    if (!this.isOpen) return;
    const isFirst = this.#paced.isEmpty;
    if (!this.#paced.add(events, countMax)) this.destroy();
    else if (isFirst) this.#sendSlice();
  }

  /** Ends the answer in an orderly way; `onClosed` is not called. */
  end(): void {
    if (!this.isOpen) return;
    this.#phase = 'ended';
    this.#paced.clear();
    this.#timer.cancel();
    this.#finish();
  }

  /** Cuts the reader off. */
  destroy(): void {
    if (this.#phase === 'broken') return;
    const wasOpen = this.isOpen;
    this.#phase = 'broken';
    this.#timer.cancel();
    this.#paced.clear();
    this.#pending = [];
    this.#sink?.destroy();
    // Not at once: who sends may be in the middle of what it does.
    if (wasOpen) atTurnEnd(this.#options.onClosed);
  }

  attach(sink: EventSink): void {
    this.#sink = sink;
    switch (this.#phase) {
      case 'open':
        this.#flush();
        this.#sendSliceSoon();
        break;
      case 'ended':
        this.#finish();
        break;
      case 'broken':
        sink.destroy();
        break;
    }
  }

  onDrain(): void {
    this.#sendSliceSoon();
  }

  onClose(): void {
    this.#timer.cancel();
    if (this.isOpen) this.destroy();
  }

  #write(record: Uint8Array): void {
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pending.length === 1) atTurnEnd(() => this.#flush());
    const { bufferBytesMax = BUFFER_BYTES_MAX } = this.#options;
    if (this.#waitingBytes > bufferBytesMax) this.destroy();
  }

  #flush(): void {
    // Without a sink all waits for one; the bound holds all the same.
    if (this.#sink === undefined || this.#pending.length === 0) return;
    const [pieces, length] = [this.#pending, this.#pendingBytes];
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#sink.write(pieces, length);
  }

  #finish(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#timer = this.#options.clock.after(LAST_WORDS_MS, () => sink.destroy());
    this.#flush();
    sink.end();
  }

  get #waitingBytes(): number {
    return this.#pendingBytes + (this.#sink?.waitingBytes ?? 0);
  }

  #sendSlice(): void {
    // With more than this before it, the reader asks for more when it has taken it.
    if (!this.isOpen || this.#waitingBytes > PACED_BYTES_MAX) return;
    this.#paced.makeSlice((event) => this.send(event));
    this.#sendSliceSoon();
  }

  #sendSliceSoon(): void {
    if (this.#isSliceDue || this.#paced.isEmpty) return;
    this.#isSliceDue = true;
    atTurnEnd(() => {
      this.#isSliceDue = false;
      this.#sendSlice();
    });
  }

  #nextHeartbeat(): Timer {
    const { clock, heartbeat, heartbeatIntervalMs } = this.#options;
    return clock.after(heartbeatIntervalMs, () => {
      this.send(heartbeat);
      if (this.isOpen) this.#timer = this.#nextHeartbeat();
    });
  }
}
