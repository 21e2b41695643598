import type { Logger } from '@factory/runtime';
import {
  type DomainEventKind,
  type DomainEvents,
  EVENT_KINDS,
  type EventKind,
} from './event-kinds.ts';
import type { Rpc } from './rpc.ts';
import type { CallOptions, Events, Subscription } from './types.ts';
import { XdrReader } from './xdr.ts';

/** Handlers of one kind of event; a handler that throws is logged and disturbs nobody else. */
export class HandlerSet<Event> {
  readonly #handlers = new Set<{ readonly call: (event: Event) => void }>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(call: (event: Event) => void): Subscription {
    const entry = { call };
    this.#handlers.add(entry);
    return { close: () => this.#handlers.delete(entry) };
  }

  emit(event: Event): void {
    for (const handler of [...this.#handlers]) {
      try {
        handler.call(event);
      } catch (error) {
        this.#logger.error({ err: error }, 'a libvirt event handler failed');
      }
    }
  }
}

/**
 * One kind of event on one connection: registered with libvirtd once, at the first handler, and
 * shared by all handlers, since libvirtd sends an event once per registration.
 */
class EventChannel<Event> {
  readonly #rpc: Rpc;
  readonly #kind: EventKind<Event>;
  readonly #handlers: HandlerSet<Event>;
  #registration: Promise<number> | undefined;
  #callbackId: number | undefined;

  constructor(rpc: Rpc, kind: EventKind<Event>, logger: Logger) {
    this.#rpc = rpc;
    this.#kind = kind;
    this.#handlers = new HandlerSet(logger);
  }

  async on(handler: (event: Event) => void, options?: CallOptions): Promise<Subscription> {
    const subscription = this.#handlers.add(handler);
    try {
      this.#registration ??= this.#register(options);
      await this.#registration;
      return subscription;
    } catch (error) {
      subscription.close();
      this.#registration = undefined;
      throw error;
    }
  }

  /** Takes libvirtd's message. @throws LibvirtProtocolError. */
  receive(payload: Uint8Array): void {
    const reader = new XdrReader(payload);
    const { callbackId, event } = this.#kind.decode(reader);
    reader.expectEnd();
    // A registration whose answer came too late sends every event once more. An event may also be
    // ahead of the answer that names its registration.
    if (this.#callbackId !== undefined && callbackId !== this.#callbackId) return;
    this.#handlers.emit(event);
  }

  /** Tells libvirtd to send no more. @throws as a call does. */
  async unregister(options: CallOptions): Promise<void> {
    if (this.#registration === undefined) return;
    const callbackId = await this.#registration;
    this.#registration = undefined;
    await this.#rpc.call('domainEventCallbackDeregisterAny', { callbackId }, options);
  }

  async #register(options?: CallOptions): Promise<number> {
    const args = { eventId: this.#kind.eventId, domain: undefined };
    const result = await this.#rpc.call('domainEventCallbackRegisterAny', args, options);
    this.#callbackId = result.callbackId;
    return result.callbackId;
  }
}

type Channels = { readonly [K in DomainEventKind]: EventChannel<DomainEvents[K]> };
/** Handlers of every kind of event. */
export type HandlerSets = { readonly [K in DomainEventKind]: HandlerSet<DomainEvents[K]> };

/** The names of all kinds. */
export const DOMAIN_EVENT_KINDS = Object.keys(EVENT_KINDS) as readonly DomainEventKind[];

function perKind(make: (kind: DomainEventKind) => unknown): unknown {
  return Object.fromEntries(DOMAIN_EVENT_KINDS.map((kind) => [kind, make(kind)]));
}

/** A set of handlers for every kind. */
export function handlerSets(logger: Logger): HandlerSets {
  // One entry for each kind, which TypeScript can't follow through a list of entries.
  return perKind(() => new HandlerSet(logger)) as HandlerSets;
}

/** The events of one connection. */
export class ConnectionEvents implements Events {
  readonly #channels: Channels;

  constructor(rpc: Rpc, logger: Logger) {
    // As in `handlerSets`.
    this.#channels = perKind(
      (kind) => new EventChannel<unknown>(rpc, EVENT_KINDS[kind], logger),
    ) as Channels;
  }

  on<K extends DomainEventKind>(
    kind: K,
    handler: (event: DomainEvents[K]) => void,
    options?: CallOptions,
  ): Promise<Subscription> {
    const channel: EventChannel<DomainEvents[K]> = this.#channels[kind];
    return channel.on(handler, options);
  }

  /** Takes libvirtd's message; one that we know nothing of is dropped. @throws LibvirtProtocolError. */
  receive(procedure: number, payload: Uint8Array): void {
    const kind = DOMAIN_EVENT_KINDS.find((name) => EVENT_KINDS[name].number === procedure);
    if (kind !== undefined) this.#channels[kind].receive(payload);
  }

  /** Tells libvirtd to send no more. @throws as a call does. */
  async unregister(options: CallOptions): Promise<void> {
    const channels = Object.values(this.#channels);
    await Promise.all(channels.map((channel) => channel.unregister(options)));
  }
}
