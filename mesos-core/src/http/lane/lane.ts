import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { Clock, Logger, Timer } from '@factory/runtime';
import type { ApiHandler } from '../api-call.ts';
import { toAnswer } from '../mesos-http.ts';
import type { Turns } from '../turns.ts';
import { LaneConnection, type LaneOfConnection, type Outcome } from './connection.ts';
import { type PlainHead, PlainHeads } from './request-head.ts';
import type { Admission, PlainRequest } from './request-reader.ts';

export interface LaneOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly turns: Turns;
  /** By path. */
  readonly handlers: ReadonlyMap<string, ApiHandler>;
  /** Who calls, where callers are asked; `undefined`: somebody who may not. */
  readonly authenticate: (head: PlainHead) => Admission | undefined;
  /** After each answer; `durationMs` until it was made. */
  readonly onAnswered: (path: string, status: number, durationMs: number) => void;
}

/** A larger body is read by node:http, which does not keep it in pieces. */
const BODY_BYTES_MAX = 1024 * 1024;
const SWEEP_INTERVAL_MS = 10_000;
/** Subscriptions have so long to be ended by who keeps them. */
const GRACE_MS = 1_500;
const FAILED = { status: 500, message: 'The service failed; its log says why.' };

/**
 * Answers what a master is asked most: plain POSTs to a few paths. It shares the port with an HTTP
 * server of Node's, and takes nothing that is not plain, or not allowed: such a connection is passed on
 * to that server, from that request on.
 *
 * Why: a new connection with a subscription cost 270 µs of CPU in node:http (and as much again in the
 * layers above it), and costs 90 µs here; it keeps 2 KB of heap instead of 8 (and 20 with those
 * layers). With 5,000 agents that come back to a new master, most of the time went there.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #connections = new Set<LaneConnection>();
  readonly #view: LaneOfConnection = {
    heads: new PlainHeads(),
    dateText: () => this.#dateText(),
    nowMs: () => this.#options.clock.monotonicMs(),
    admit: (head) => this.#admit(head),
    handle: (request, socket, settle) => this.#handle(request, socket, settle),
    forget: (connection) => this.#forget(connection),
  };
  #sweep: Timer;
  #isClosed = false;
  #date = { text: '', second: Number.NaN };

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#sweep = this.#nextSweep();
  }

  /** Looks at all new connections of the server first. */
  attach(server: HttpServer): void {
    const event = server instanceof TlsServer ? 'secureConnection' : 'connection';
    const others = server.listeners(event);
    const passOn = (socket: Socket): void => {
      for (const other of others) other.call(server, socket);
    };
    server.removeAllListeners(event);
    server.on(event, (socket: Socket) => {
      if (this.#isClosed) passOn(socket);
      else this.#take(socket, passOn);
    });
  }

  /** Ends all connections; those with a subscription are cut off if nobody else ends them. */
  close(): void {
    this.#isClosed = true;
    this.#sweep.cancel();
    for (const connection of this.#connections) connection.close();
    if (this.#connections.size === 0) return;
    this.#sweep = this.#options.clock.after(GRACE_MS, () => {
      for (const connection of this.#connections) connection.destroy();
    });
  }

  #take(socket: Socket, passOn: (socket: Socket) => void): void {
    this.#connections.add(new LaneConnection(socket, this.#view, passOn));
  }

  #forget(connection: LaneConnection): void {
    this.#connections.delete(connection);
    if (this.#isClosed && this.#connections.size === 0) this.#sweep.cancel();
  }

  #admit(head: PlainHead): Admission | undefined {
    const { handlers, authenticate } = this.#options;
    if (head.bodyBytes > BODY_BYTES_MAX || !handlers.has(head.path)) return undefined;
    return authenticate(head);
  }

  #handle(request: PlainRequest, socket: Socket, settle: (outcome: Outcome) => void): void {
    const { handlers, turns, clock, onAnswered } = this.#options;
    const { head, admission, body } = request;
    const arrivedMs = clock.monotonicMs();
    const done = (outcome: Outcome): void => {
      onAnswered(head.path, statusOf(outcome), clock.monotonicMs() - arrivedMs);
      settle(outcome);
    };
    const fail = (error: unknown): void => done({ type: 'error', ...this.#errorAnswer(error) });
    const ip = () => (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    turns.do(() => {
      try {
        const answer = handlers.get(head.path)?.({ head, body, caller: admission.caller, ip });
        if (answer instanceof Promise) answer.then(done, fail);
        else if (answer !== undefined) done(answer);
      } catch (error) {
        fail(error);
      }
    });
  }

  #errorAnswer(error: unknown) {
    const answer = toAnswer(error);
    if (answer === undefined) this.#options.logger.error({ err: error }, 'request failed');
    return answer ?? FAILED;
  }

  #dateText(): string {
    const second = Math.floor(this.#options.clock.nowMs() / 1000);
    if (second !== this.#date.second) {
      this.#date = { second, text: new Date(second * 1000).toUTCString() };
    }
    return this.#date.text;
  }

  #nextSweep(): Timer {
    return this.#options.clock.after(SWEEP_INTERVAL_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      for (const connection of this.#connections) connection.check(nowMs);
      this.#sweep = this.#nextSweep();
    });
  }
}

function statusOf(outcome: Outcome): number {
  return outcome.type === 'stream' ? 200 : outcome.status;
}
