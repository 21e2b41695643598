import type { Logger } from '@factory/runtime';
import { LIFECYCLE_EVENT } from './procedures.ts';
import type { Rpc } from './rpc.ts';
import { type DomainLifecycleEvent, lifecycleOf } from './states.ts';
import type { CallOptions, Events, Subscription } from './types.ts';
import { domainOf } from './wire.ts';
import { type ValueOf, XdrReader } from './xdr.ts';

type Handler = (event: DomainLifecycleEvent) => void;

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

type Message = ValueOf<typeof LIFECYCLE_EVENT.message>;

function eventOf({ event, detail, domain }: Message): DomainLifecycleEvent {
  return { ...lifecycleOf(event, detail), domain: domainOf(domain), raw: { event, detail } };
}

/**
 * Lifecycle events of one connection: registered with libvirtd once, at the first handler, and
 * shared by all handlers, since libvirtd sends an event once per registration.
 */
export class LifecycleEvents implements Events {
  readonly #rpc: Rpc;
  readonly #handlers: HandlerSet<DomainLifecycleEvent>;
  #registration: Promise<number> | undefined;
  #callbackId: number | undefined;

  constructor(rpc: Rpc, logger: Logger) {
    this.#rpc = rpc;
    this.#handlers = new HandlerSet(logger);
  }

  async onDomainLifecycle(handler: Handler, options?: CallOptions): Promise<Subscription> {
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
    const message = LIFECYCLE_EVENT.message.decode(reader);
    reader.expectEnd();
    // A registration whose answer came too late sends every event once more. An event may also be
    // ahead of the answer that names its registration.
    if (this.#callbackId !== undefined && message.callbackId !== this.#callbackId) return;
    this.#handlers.emit(eventOf(message));
  }

  /** Tells libvirtd to send no more. @throws as a call does. */
  async unregister(options: CallOptions): Promise<void> {
    if (this.#registration === undefined) return;
    const callbackId = await this.#registration;
    this.#registration = undefined;
    await this.#rpc.call('domainEventCallbackDeregisterAny', { callbackId }, options);
  }

  async #register(options?: CallOptions): Promise<number> {
    const args = { eventId: LIFECYCLE_EVENT.eventId, domain: undefined };
    const result = await this.#rpc.call('domainEventCallbackRegisterAny', args, options);
    this.#callbackId = result.callbackId;
    return result.callbackId;
  }
}
