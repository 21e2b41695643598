import { gatherPieces } from '../../http/sliced-answer.ts';
import {
  type Encoding,
  encodeMessage,
  encodePieces,
  LazyMessage,
  type MasterEvent,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { type EventStream, openEventStream } from '../event-stream.ts';
import { getState } from './operator-form.ts';
import { takeSnapshot } from './snapshot.ts';

/** The state of a large cluster, and the events since, fit; who lets more wait is cut off. */
const BUFFER_BYTES_MAX = 128 * 1024 * 1024;

interface Subscriber {
  readonly stream: EventStream<MasterEvent | Uint8Array>;
  readonly encoding: Encoding;
  /** Events that came while the state was put into words; `undefined` when it has been sent. */
  early: MasterEvent[] | undefined;
}

/** Tells operators who have subscribed what changes in the cluster. */
export class OperatorEvents {
  readonly #subscribers = new Set<Subscriber>();

  /** How many listen. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Tells all; `make` is called only when somebody listens. */
  emit(make: () => MasterEvent): void {
    if (this.#subscribers.size === 0) return;
    const event = make();
    for (const { early, stream } of this.#subscribers) {
      if (early === undefined) stream.send(event);
      else early.push(event);
    }
  }

  /** A stream that begins with the whole state of this moment, and goes on with every change. */
  subscribe(core: MasterCore, encoding: Encoding): EventStream<MasterEvent | Uint8Array> {
    const stream = openEventStream<MasterEvent | Uint8Array>({
      id: core.newStreamId(),
      clock: core.clock,
      encode: (event) =>
        event instanceof Uint8Array ? event : encodeMessage('master.Event', encoding, event),
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: core.settings.heartbeatIntervalMs,
      bufferBytesMax: BUFFER_BYTES_MAX,
      onClosed: () => this.#subscribers.delete(subscriber),
    });
    const subscriber: Subscriber = { stream, encoding, early: [] };
    this.#subscribers.add(subscriber);
    this.#greet(core, subscriber, getState(takeSnapshot(core))).catch((error: unknown) => {
      core.logger.error({ err: error }, 'an operator could not be told the state');
      stream.body.destroy();
    });
    return stream;
  }

  /** Ends all streams. */
  close(): void {
    for (const { stream } of this.#subscribers) stream.end();
    this.#subscribers.clear();
  }

  async #greet(core: MasterCore, subscriber: Subscriber, get_state: LazyMessage): Promise<void> {
    const { encoding, stream } = subscriber;
    const heartbeat_interval_seconds = core.settings.heartbeatIntervalMs / 1000;
    const subscribed = new LazyMessage({ get_state, heartbeat_interval_seconds });
    const event = new LazyMessage({ type: 'SUBSCRIBED', subscribed });
    const pieces = encodePieces('master.Event', encoding, event);
    stream.send(Buffer.concat(await gatherPieces(pieces, core.clock)));
    for (const early of subscriber.early ?? []) stream.send(early);
    subscriber.early = undefined;
  }
}
