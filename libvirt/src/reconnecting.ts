import {
  createBackoff,
  type Logger,
  type Random,
  retryForever,
  silentLogger,
  withDeadline,
} from '@factory/runtime';
import { createApi, type LibvirtApi } from './api.ts';
import { createConnection, type OpenConnection } from './connection.ts';
import { LibvirtDisconnectedError } from './errors.ts';
import type { DomainEventKind, DomainEvents } from './event-kinds.ts';
import { DOMAIN_EVENT_KINDS, HandlerSet, type HandlerSets, handlerSets } from './events.ts';
import type { Rpc } from './rpc.ts';
import type { CloseReason, ConnectOptions, Events, Subscription } from './types.ts';

const DEFAULT_BACKOFF = { baseMs: 100, maxMs: 5_000 } as const;
const NOT_YET: CloseReason = { kind: 'disconnected', message: 'no connection yet' };

/** What {@link createReconnectingLibvirt} needs. */
export interface ReconnectOptions extends ConnectOptions {
  /** For the jitter of the back-off. */
  readonly random: Random;
  /** Pauses between attempts; default 100 ms growing to 5 s, with full jitter. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
}

/**
 * A connection that is made again whenever it is lost. Calls are not repeated: one that was in
 * flight, and one made meanwhile, fails with LibvirtDisconnectedError. Events of the gap are lost:
 * list the domains again at `onReconnected`.
 */
export interface ReconnectingLibvirt extends LibvirtApi {
  /** Handlers stay registered over reconnects; registering needs no connection. */
  readonly events: Events;
  /** Whether a call has a connection to go to right now. */
  readonly connected: boolean;
  /** Resolves once there is a connection. @throws DeadlineExceededError. */
  whenConnected(timeoutMs: number): Promise<void>;
  /** After every connection but the first, with events flowing again. */
  onReconnected(handler: () => void): Subscription;
  /** When a connection is lost; not at `close`. */
  onDisconnected(handler: (reason: CloseReason) => void): Subscription;
  /** Stops for good. */
  close(): Promise<void>;
}

/** An {@link Rpc} on whatever connection there is. */
class Reconnector implements Rpc {
  readonly reconnected: HandlerSet<void>;
  readonly disconnected: HandlerSet<CloseReason>;
  readonly #handlers: HandlerSets;
  readonly #options: ReconnectOptions;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #current: OpenConnection | undefined;
  #lost: CloseReason = NOT_YET;
  #nextConnection = Promise.withResolvers<void>();

  constructor(options: ReconnectOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.reconnected = new HandlerSet(this.#logger);
    this.disconnected = new HandlerSet(this.#logger);
    this.#handlers = handlerSets(this.#logger);
    this.#loop = this.#run();
  }

  get connected(): boolean {
    return this.#current !== undefined;
  }

  call: Rpc['call'] = async (name, args, options) => this.#require().call(name, args, options);

  openStream: Rpc['openStream'] = async (name, args, options) =>
    this.#require().openStream(name, args, options);

  async whenConnected(timeoutMs: number): Promise<void> {
    if (this.connected) return;
    const what = 'connecting to libvirt';
    await withDeadline(this.#options.clock, what, timeoutMs, () => this.#nextConnection.promise);
  }

  handlersOf<K extends DomainEventKind>(kind: K): HandlerSet<DomainEvents[K]> {
    return this.#handlers[kind];
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#current?.close();
    await this.#loop;
  }

  #require(): Rpc {
    if (this.#current === undefined) throw new LibvirtDisconnectedError(this.#lost);
    return this.#current;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { clock, random } = this.#options;
    const backoff = createBackoff({ ...(this.#options.backoff ?? DEFAULT_BACKOFF), random });
    const retry = { what: 'connecting to libvirt', clock, logger: this.#logger, backoff, signal };
    for (let first = true; !signal.aborted; first = false) {
      const connection = await retryForever(retry, (stop) => this.#connect(stop)).catch(
        () => undefined,
      );
      // Only closing ends the retries, and it may come while a connection is made.
      if (connection === undefined) return;
      if (signal.aborted) return connection.close();
      this.#current = connection;
      this.#nextConnection.resolve();
      if (!first) this.reconnected.emit();
      this.#lost = await connection.closed;
      this.#current = undefined;
      this.#nextConnection = Promise.withResolvers();
      if (signal.aborted) return;
      this.#logger.warn({ reason: this.#lost.message }, 'lost the connection to libvirt');
      this.disconnected.emit(this.#lost);
    }
  }

  /** All kinds, wanted or not: a handler that comes while we connect is not too late then. */
  #forward<K extends DomainEventKind>(connection: OpenConnection, kind: K): Promise<unknown> {
    const handlers = this.handlersOf(kind);
    return connection.events.on(kind, (event) => handlers.emit(event));
  }

  /** Cut by `signal` only until it is ready: a ready connection is closed with a goodbye. */
  async #connect(signal: AbortSignal): Promise<OpenConnection> {
    const dial = new AbortController();
    const cut = () => dial.abort();
    signal.addEventListener('abort', cut);
    try {
      const connection = await createConnection(this.#options, dial.signal);
      await Promise.all(DOMAIN_EVENT_KINDS.map((kind) => this.#forward(connection, kind)));
      return connection;
    } catch (error) {
      cut();
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}

/** Starts connecting, and connects again after every loss, until `close`. */
export function createReconnectingLibvirt(options: ReconnectOptions): ReconnectingLibvirt {
  const reconnector = new Reconnector(options);
  return {
    ...createApi(reconnector),
    events: { on: async (kind, handler) => reconnector.handlersOf(kind).add(handler) },
    get connected() {
      return reconnector.connected;
    },
    whenConnected: (timeoutMs) => reconnector.whenConnected(timeoutMs),
    onReconnected: (handler) => reconnector.reconnected.add(handler),
    onDisconnected: (handler) => reconnector.disconnected.add(handler),
    close: () => reconnector.close(),
  };
}
