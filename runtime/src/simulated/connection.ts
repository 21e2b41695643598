import type { FastifyInstance } from 'fastify';
import type { Timer } from '../clock.ts';
import { type HttpRequest, HttpTransportError } from '../http/transport.ts';
import { type InjectedResponse, type Injection, inject } from './injection.ts';
import { Pipe } from './pipe.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What a connection needs of the network it belongs to. */
export interface Wiring {
  readonly clock: VirtualClock;
  delayMs(): number;
  isCut(client: string, origin: string): boolean;
  appAt(origin: string): FastifyInstance | undefined;
  /** Both ends are done: nothing will travel any more. */
  onGone(connection: Connection): void;
}

/** Nobody listens there. */
const REFUSED = 'connection refused';

/** One exchange between a client and an origin, alive until both ends are done with it. */
export class Connection {
  readonly client: string;
  readonly origin: string;
  readonly #wiring: Wiring;
  readonly #request: HttpRequest;
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #onBroken: (error: HttpTransportError) => void;
  readonly #onAbort: () => void;
  #deadline: Timer | undefined;
  #injection: Injection | undefined;
  #clientDone = false;
  #serverDone = true;

  /** `onBroken` tells the client, at most once, that there will be nothing more, and why. */
  constructor(
    wiring: Wiring,
    client: string,
    request: HttpRequest,
    onBroken: (error: HttpTransportError) => void,
  ) {
    this.client = client;
    this.origin = new URL(request.url).origin;
    this.#wiring = wiring;
    this.#request = request;
    this.#onBroken = onBroken;
    const { clock } = wiring;
    const isCut = (): boolean => this.isCut();
    this.#toServer = new Pipe(clock, () => wiring.delayMs(), isCut);
    this.#toClient = new Pipe(clock, () => wiring.delayMs(), isCut);
    this.#onAbort = () => {
      const cause = request.signal?.reason;
      this.#fail(cause instanceof Error ? cause.message : 'given up', cause);
    };
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#deadline = clock.after(request.timeoutMs, () => {
      this.#fail(`no complete answer within ${request.timeoutMs} ms`);
    });
    if (request.signal?.aborted) this.#onAbort();
  }

  isCut(): boolean {
    return this.#wiring.isCut(this.client, this.origin);
  }

  /** Sends the request; `onResponse` runs at the server's end when it has sent its headers. */
  send(onResponse: (response: InjectedResponse) => Promise<void>): void {
    if (this.#clientDone) return;
    this.#serverDone = false;
    this.#toServer.send(() => {
      const app = this.#wiring.appAt(this.origin);
      if (app === undefined) {
        this.breakFromServer(REFUSED);
        return;
      }
      this.#wiring.clock.noteActivity();
      this.#injection = inject(app, this.#request);
      this.#injection.response
        .then((response) => {
          this.#wiring.clock.noteActivity();
          return onResponse(response);
        })
        .catch((cause: unknown) => this.breakFromServer('connection reset by the server', cause));
    });
  }

  /** Has something arrive at the client, if it still listens by then. */
  deliver(arrive: () => void): void {
    this.#toClient.send(() => {
      if (this.#clientDone) return;
      this.#wiring.clock.noteActivity();
      arrive();
    });
  }

  /** The headers are there: the deadline no longer applies. */
  disarmDeadline(): void {
    this.#deadline?.cancel();
  }

  /** The server has sent all it will send. */
  finishServer(): void {
    this.#serverDone = true;
    this.#checkGone();
  }

  /** The server's end breaks off: it sees `close`, and so, later, does the client. */
  breakFromServer(reason: string, cause?: unknown): void {
    this.#injection?.abort();
    this.deliver(() => this.#fail(reason, cause));
    this.finishServer();
  }

  /** The client has all it wants, and hangs up; the server sees it when the news arrives. */
  finishClient(): void {
    if (this.#clientDone) return;
    this.#clientDone = true;
    this.#deadline?.cancel();
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
    if (this.#serverDone) {
      this.#checkGone();
      return;
    }
    this.#toServer.send(() => {
      this.#injection?.abort();
      this.finishServer();
    });
  }

  /** The client's process closes all its connections. */
  closeFromClient(): void {
    this.#fail('the transport was closed');
  }

  /** Lets what waited for the end of a cut go on. */
  flush(): void {
    this.#toServer.flush();
    this.#toClient.flush();
  }

  #fail(reason: string, cause?: unknown): void {
    if (this.#clientDone) return;
    this.finishClient();
    const isUnsent = reason === REFUSED;
    this.#onBroken(new HttpTransportError(this.#request.url, reason, { cause, isUnsent }));
  }

  #checkGone(): void {
    if (this.#clientDone && this.#serverDone) this.#wiring.onGone(this);
  }
}
