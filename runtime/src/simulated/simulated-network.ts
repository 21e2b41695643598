import type { FastifyInstance } from 'fastify';
import {
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
  type HttpTransport,
  HttpTransportError,
} from '../http/transport.ts';
import type { Random } from '../random.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { Connection, type Wiring } from './connection.ts';
import { type InjectedResponse, inject } from './injection.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How badly the network behaves. Probabilities are in [0, 1]. */
export interface Faults {
  /** The request never arrives; the caller waits until its deadline. */
  readonly dropRequest: number;
  /** The request is carried out, its answer is lost; a stream breaks at some time. */
  readonly dropResponse: number;
  /** The request is carried out twice; the second answer is thrown away. Not for streams. */
  readonly duplicate: number;
  /** Travelling time of each message, from–to. */
  readonly delayMs: readonly [number, number];
}

/** A network without faults, and nearly without delay. */
export const NO_FAULTS: Faults = {
  dropRequest: 0,
  dropResponse: 0,
  duplicate: 0,
  delayMs: [1, 1],
};

/** What the network has done so far; shows that the faults of a simulation did happen. */
export interface NetworkStatistics {
  requests: number;
  streams: number;
  droppedRequests: number;
  droppedResponses: number;
  duplicates: number;
  brokenStreams: number;
}

/** A doomed stream breaks within this time of its headers. */
const DOOMED_STREAM_MS = 30_000;
/** A server that writes more than this ahead of the reader must wait (`drain`). */
const STREAM_BUFFER_BYTES = 1024 * 1024;

/**
 * A network in one process: transports for clients, fastify apps as servers, virtual time and
 * seeded faults between them. What TCP keeps in order stays in order.
 */
export class SimulatedNetwork {
  readonly statistics: NetworkStatistics = {
    requests: 0,
    streams: 0,
    droppedRequests: 0,
    droppedResponses: 0,
    duplicates: 0,
    brokenStreams: 0,
  };
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #servers = new Map<string, FastifyInstance>();
  readonly #cuts = new Set<string>();
  readonly #connections = new Set<Connection>();
  #faults: Faults;

  constructor(options: {
    readonly clock: VirtualClock;
    readonly random: Random;
    readonly faults?: Partial<Faults>;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#faults = { ...NO_FAULTS, ...options.faults };
  }

  /** Changes the faults from now on; what is not named stays. */
  setFaults(faults: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...faults };
  }

  /** Has `app` answer at `origin` (`http://agent-1`); resolves when the app is ready. */
  async attach(origin: string, app: FastifyInstance): Promise<void> {
    const key = new URL(origin).origin;
    if (this.#servers.has(key)) throw new Error(`${key} is taken`);
    this.#servers.set(key, app);
    await this.#clock.holdFor(Promise.resolve(app.ready()));
  }

  /** Takes the server away: its connections are reset, new ones refused. */
  detach(origin: string): void {
    const key = new URL(origin).origin;
    this.#servers.delete(key);
    for (const connection of [...this.#connections]) {
      if (connection.origin === key) connection.breakFromServer('connection reset');
    }
  }

  /**
   * Nothing passes between the two, in either direction, until {@link heal}: new requests are lost,
   * open streams fall silent. Each is the name of a transport or an origin; a process that calls
   * and serves is cut off wholly when its transport is named like its origin.
   */
  cut(nameOrOriginA: string, nameOrOriginB: string): void {
    this.#cuts.add(pairKey(nameOrOriginA, nameOrOriginB));
  }

  /** Ends one cut, or all; what streams had on the way arrives. */
  heal(nameOrOriginA?: string, nameOrOriginB?: string): void {
    if (nameOrOriginA === undefined || nameOrOriginB === undefined) this.#cuts.clear();
    else this.#cuts.delete(pairKey(nameOrOriginA, nameOrOriginB));
    for (const connection of [...this.#connections]) connection.flush();
  }

  /** The way out for the client called `name`. */
  transport(name: string): HttpTransport {
    const mine = new Set<Connection>();
    let closed = false;
    const wiring: Wiring = {
      clock: this.#clock,
      delayMs: () => this.#delayMs(),
      isCut: (client, origin) => this.#cuts.size > 0 && this.#cuts.has(pairKey(client, origin)),
      appAt: (origin) => this.#servers.get(origin),
      onGone: (connection) => {
        mine.delete(connection);
        this.#connections.delete(connection);
      },
    };
    const connect = (request: HttpRequest, onBroken: (error: HttpTransportError) => void) => {
      if (closed) throw new HttpTransportError(request.url, 'the transport was closed');
      const connection = new Connection(wiring, name, request, onBroken);
      mine.add(connection);
      this.#connections.add(connection);
      return connection;
    };
    return {
      request: async (request) => this.#request(connect, request),
      stream: async (request) => this.#stream(connect, request),
      close: async () => {
        closed = true;
        for (const connection of [...mine]) connection.closeFromClient();
      },
    };
  }

  #request(connect: Connect, request: HttpRequest): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    const connection = connect(request, reject);
    this.statistics.requests += 1;
    if (this.#isLost(connection)) return promise;
    if (this.#happens(this.#faults.duplicate)) this.#deliverAgain(connection.origin, request);
    connection.send(async (response) => {
      const body = await readAll(response);
      if (this.#happens(this.#faults.dropResponse)) {
        this.statistics.droppedResponses += 1;
        connection.breakFromServer('connection reset');
        return;
      }
      connection.deliver(() => {
        connection.finishClient();
        resolve({ status: response.status, headers: response.headers, body });
      });
      connection.finishServer();
    });
    return promise;
  }

  #stream(connect: Connect, request: HttpRequest): Promise<HttpStream> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpStream>();
    let chunks: ChunkQueue | undefined;
    const connection = connect(request, (error) => {
      if (chunks === undefined) reject(error);
      else chunks.end(error);
    });
    this.statistics.streams += 1;
    if (this.#isLost(connection)) return promise;
    connection.send(async (response) => {
      const queue = this.#pump(connection, response);
      connection.deliver(() => {
        connection.disarmDeadline();
        chunks = queue;
        const { status, headers } = response;
        const close = (): void => {
          queue.discard();
          connection.finishClient();
        };
        resolve({ status, headers, body: queue, close });
      });
      if (this.#happens(this.#faults.dropResponse)) this.#doom(connection);
    });
    return promise;
  }

  /** Moves the body to the client chunk by chunk, no faster than it reads. */
  #pump(connection: Connection, response: InjectedResponse): ChunkQueue {
    const { body } = response;
    let aheadBytes = 0;
    const queue = new ChunkQueue(
      (chunk) => {
        aheadBytes -= chunk.byteLength;
        if (aheadBytes < STREAM_BUFFER_BYTES) body.resume();
      },
      () => connection.finishClient(),
    );
    body.on('data', (chunk: Uint8Array) => {
      this.#clock.noteActivity();
      aheadBytes += chunk.byteLength;
      if (aheadBytes >= STREAM_BUFFER_BYTES) body.pause();
      connection.deliver(() => queue.push(chunk));
    });
    body.on('end', () => {
      connection.deliver(() => {
        queue.end();
        connection.finishClient();
      });
      connection.finishServer();
    });
    body.on('error', (cause) => connection.breakFromServer('connection reset', cause));
    return queue;
  }

  #doom(connection: Connection): void {
    this.#clock.after(this.#random.next() * DOOMED_STREAM_MS, () => {
      if (!this.#connections.has(connection)) return;
      this.statistics.brokenStreams += 1;
      connection.breakFromServer('connection reset');
    });
  }

  /** The second arrival of a request that was sent once, as a retrying proxy makes it. */
  #deliverAgain(origin: string, request: HttpRequest): void {
    this.statistics.duplicates += 1;
    this.#clock.after(this.#delayMs() + this.#delayMs(), () => {
      const app = this.#servers.get(origin);
      if (app === undefined) return;
      this.#clock.noteActivity();
      const injection = inject(app, request);
      const deadline = this.#clock.after(request.timeoutMs, () => injection.abort());
      // Nobody waits for this answer, so nobody is told of its failure either.
      injection.response
        .then(readAll)
        .catch(() => undefined)
        .finally(() => deadline.cancel());
    });
  }

  #isLost(connection: Connection): boolean {
    const dropped = this.#happens(this.#faults.dropRequest);
    if (dropped) this.statistics.droppedRequests += 1;
    return dropped || connection.isCut();
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability;
  }

  #delayMs(): number {
    const [from, to] = this.#faults.delayMs;
    return from === to ? from : from + this.#random.next() * (to - from);
  }
}

type Connect = (request: HttpRequest, onBroken: (error: HttpTransportError) => void) => Connection;

/** The same for (a, b) and (b, a). Origins are written as URLs print them. */
function pairKey(a: string, b: string): string {
  const normal = (name: string): string =>
    /^https?:/.test(name) && URL.canParse(name) ? new URL(name).origin : name;
  return [normal(a), normal(b)].toSorted().join(' ');
}

async function readAll(response: InjectedResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
