import type { Socket } from 'node:net';
import { atTurnEnd } from '@factory/runtime';
import type { ApiAnswer } from '../api-call.ts';
import type { EventBody } from '../event-sink.ts';
import type { ErrorAnswer } from '../mesos-http.ts';
import { emptyAnswer, errorAnswer, streamHead } from './answers.ts';
import { ChunkedSink } from './chunked-sink.ts';
import type { PlainHead, PlainHeads } from './request-head.ts';
import { type Admission, type PlainRequest, RequestReader } from './request-reader.ts';

/** How a request ends. */
export type Outcome = ApiAnswer | ({ readonly type: 'error' } & ErrorAnswer);

/** What a connection needs of the lane it is in. */
export interface LaneOfConnection {
  readonly heads: PlainHeads;
  /** The value of `Date` in an answer of this moment. */
  dateText(): string;
  nowMs(): number;
  /** Whether a request is for this lane, asked before its body has come. */
  admit(head: PlainHead): Admission | undefined;
  /** Carries out a request, now or soon; `settle` is called once. */
  handle(request: PlainRequest, socket: Socket, settle: (outcome: Outcome) => void): void;
  /** The connection is closed, or has left. */
  forget(connection: LaneConnection): void;
}

/** Requests of one connection that are under way; more are read when there are fewer. */
const UNDER_WAY_MAX = 256;
/** Between two requests, and within one: as node:http does by default. */
const IDLE_MS_MAX = 72_000;
const REQUEST_MS_MAX = 60_000;

interface Slot {
  outcome: Outcome | undefined;
}

/**
 * A connection with plain requests on it: they are carried out as they come, and answered in order;
 * the answers of one turn of the event loop are written together. A subscription takes it over for
 * good. With the first request that is not plain it leaves the lane.
 */
export class LaneConnection {
  readonly #socket: Socket;
  readonly #lane: LaneOfConnection;
  readonly #reader: RequestReader;
  readonly #passOn: (socket: Socket) => void;
  #phase: 'calls' | 'leaving' | 'stream' | 'left' | 'closed' = 'calls';
  /** The peer, or this side, wants nothing more than the answers that are due. */
  #isEnding = false;
  #slots: Slot[] = [];
  #answers = '';
  #isReading = false;
  #activeAtMs: number;
  #stream: EventBody | undefined;

  /** @param passOn gets the connection when it leaves the lane, with all bytes that were not read. */
  constructor(socket: Socket, lane: LaneOfConnection, passOn: (socket: Socket) => void) {
    this.#socket = socket;
    this.#lane = lane;
    this.#passOn = passOn;
    this.#reader = new RequestReader(lane.heads, (head) => lane.admit(head));
    this.#activeAtMs = lane.nowMs();
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
  }

  /** Closes it if it has been silent for too long. */
  check(nowMs: number): void {
    if (this.#phase !== 'calls' || this.#slots.length > 0) return;
    const silentMs = nowMs - this.#activeAtMs;
    if (silentMs > (this.#reader.isWithin ? REQUEST_MS_MAX : IDLE_MS_MAX)) this.#socket.destroy();
  }

  /** Ends it when nothing is under way; a subscription is ended by who keeps it. */
  close(): void {
    if (this.#phase === 'stream') return;
    this.#isEnding = true;
    this.#goOnWhenAnswered();
  }

  /** Cuts it off. */
  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#activeAtMs = this.#lane.nowMs();
    // After a subscription nothing more is answered on this connection.
    if (this.#phase !== 'calls') return;
    this.#reader.push(bytes);
    this.#readOn();
  };

  readonly #onDrain = (): void => {
    if (this.#stream === undefined) this.#readOn();
    else this.#stream.onDrain();
  };

  readonly #onEnd = (): void => {
    if (this.#phase === 'stream') this.#socket.destroy();
    else this.close();
  };

  readonly #onClose = (): void => {
    this.#phase = 'closed';
    this.#stream?.onClose();
    this.#lane.forget(this);
  };

  #readOn(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#phase === 'calls' && this.#hasRoom()) {
      const reading = this.#reader.next();
      if (reading.type === 'request') this.#begin(reading.request);
      else if (reading.type === 'other') this.#phase = 'leaving';
      if (reading.type === 'incomplete') break;
    }
    this.#isReading = false;
    if (this.#phase === 'leaving') this.#socket.pause();
    else if (this.#phase === 'calls') this.#pauseOrResume();
    this.#goOnWhenAnswered();
  }

  #hasRoom(): boolean {
    return this.#slots.length < UNDER_WAY_MAX && !this.#socket.writableNeedDrain;
  }

  #pauseOrResume(): void {
    const hasRoom = this.#hasRoom();
    if (hasRoom === this.#socket.isPaused()) hasRoom ? this.#socket.resume() : this.#socket.pause();
  }

  #begin(request: PlainRequest): void {
    const slot: Slot = { outcome: undefined };
    this.#slots.push(slot);
    this.#lane.handle(request, this.#socket, (outcome) => {
      slot.outcome = outcome;
      this.#answer();
    });
  }

  /** Answers what is settled, as far as nothing before it is not. */
  #answer(): void {
    for (let [slot] = this.#slots; slot?.outcome !== undefined; [slot] = this.#slots) {
      this.#slots.shift();
      this.#send(slot.outcome);
    }
    this.#readOn();
  }

  #send(outcome: Outcome): void {
    if (outcome.type === 'stream') {
      this.#open(outcome);
      return;
    }
    if (this.#phase === 'closed' || this.#phase === 'stream') return;
    if (this.#answers === '') atTurnEnd(() => this.#flush());
    const date = this.#lane.dateText();
    this.#answers +=
      outcome.type === 'error' ? errorAnswer(outcome, date) : emptyAnswer(outcome.status, date);
  }

  #open({ id, contentType, body }: Extract<ApiAnswer, { type: 'stream' }>): void {
    // A peer that says nothing more is most likely gone; who subscribes waits for events.
    if (this.#phase === 'closed' || this.#isEnding) {
      body.onClose();
      this.#socket.destroy();
      return;
    }
    this.#phase = 'stream';
    this.#stream = body;
    this.#flush();
    this.#socket.resume();
    const sink = new ChunkedSink(this.#socket, streamHead(id, contentType, this.#lane.dateText()));
    body.attach(sink);
    sink.flush();
  }

  #flush(): void {
    if (this.#answers !== '' && this.#socket.writable) this.#socket.write(this.#answers);
    this.#answers = '';
    this.#goOnWhenAnswered();
  }

  #goOnWhenAnswered(): void {
    if (this.#slots.length > 0 || this.#answers !== '') return;
    if (this.#phase === 'leaving') this.#leave();
    else if (this.#phase === 'calls' && this.#isEnding) this.#socket.end();
  }

  #leave(): void {
    this.#phase = 'left';
    const socket = this.#socket;
    socket.off('data', this.#onData).off('drain', this.#onDrain).off('end', this.#onEnd);
    socket.off('error', ignore).off('close', this.#onClose);
    socket.unshift(this.#reader.rest());
    this.#lane.forget(this);
    this.#passOn(socket);
    // It was paused here; what listens for data from now on does not undo that by itself.
    socket.resume();
  }
}

/** What breaks a connection is followed by `close`. */
function ignore(): void {}
