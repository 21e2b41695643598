import { gatherPieces } from '../../http/sliced-answer.ts';
import {
  type Encoding,
  encodeMessage,
  encodePieces,
  LazyMessage,
  type MasterEvent,
  type Resources,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { EventStream } from '../event-stream.ts';
import type { MasterState } from '../state.ts';
import { getState } from './operator-form.ts';
import { takeSnapshot } from './snapshot.ts';
import { seesAll, type Visibility } from './visibility.ts';

/** The state of a large cluster, and the events since, fit; who lets more wait is cut off. */
const BUFFER_BYTES_MAX = 128 * 1024 * 1024;

/** So many events may happen while the state is put into words; one who needs longer is cut off. */
const EARLY_EVENTS_MAX = 100_000;

interface Subscriber {
  readonly stream: EventStream<MasterEvent>;
  readonly encoding: Encoding;
  /** The event, or as much of it as the subscriber may see. */
  readonly seenOf: (event: MasterEvent) => MasterEvent | undefined;
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
    for (const { early, stream, seenOf } of this.#subscribers) {
      const seen = seenOf(event);
      if (seen === undefined) continue;
      if (early === undefined) stream.send(seen);
      else if (early.push(seen) > EARLY_EVENTS_MAX) stream.destroy();
    }
  }

  /**
   * A stream that begins with the whole state of this moment, and goes on with every change: as much
   * of them as the subscriber may see.
   */
  subscribe(
    core: MasterCore,
    encoding: Encoding,
    visibility: Visibility = seesAll,
  ): EventStream<MasterEvent> {
    const stream = new EventStream<MasterEvent>({
      id: core.newStreamId(),
      clock: core.clock,
      encode: (event) => encodeMessage('master.Event', encoding, event),
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: core.settings.heartbeatIntervalMs,
      bufferBytesMax: BUFFER_BYTES_MAX,
      onClosed: () => this.#subscribers.delete(subscriber),
    });
    const subscriber: Subscriber = {
      ...{ stream, encoding, early: [] },
      seenOf: (event) =>
        isVisible(core.state, visibility, event) ? visiblePart(visibility, event) : undefined,
    };
    this.#subscribers.add(subscriber);
    this.#keepAtMost(core.settings.operatorSubscribersMax);
    const state = getState(takeSnapshot(core, visibility));
    this.#greet(core, subscriber, state).catch((error: unknown) => {
      core.logger.error({ err: error }, 'an operator could not be told the state');
      stream.destroy();
    });
    return stream;
  }

  /** Ends all streams. */
  close(): void {
    for (const { stream } of this.#subscribers) stream.end();
    this.#subscribers.clear();
  }

  #keepAtMost(count: number): void {
    const [oldest] = this.#subscribers;
    if (oldest === undefined || this.#subscribers.size <= count) return;
    this.#subscribers.delete(oldest);
    oldest.stream.end();
  }

  async #greet(core: MasterCore, subscriber: Subscriber, get_state: LazyMessage): Promise<void> {
    const { encoding, stream } = subscriber;
    const heartbeat_interval_seconds = core.settings.heartbeatIntervalMs / 1000;
    const subscribed = new LazyMessage({ get_state, heartbeat_interval_seconds });
    const event = new LazyMessage({ type: 'SUBSCRIBED', subscribed });
    const pieces = encodePieces('master.Event', encoding, event);
    stream.sendEncoded(await gatherPieces(pieces, core.clock));
    // As schedulers get it: at once, so that who asked knows that the stream goes on.
    stream.send({ type: 'HEARTBEAT' });
    for (const early of subscriber.early ?? []) stream.send(early);
    subscriber.early = undefined;
  }
}

function visiblePart(visibility: Visibility, event: MasterEvent): MasterEvent {
  if (visibility === seesAll || event.type !== 'AGENT_ADDED') return event;
  const { agent } = event.agent_added;
  const part = (all: Resources | undefined): Resources | undefined =>
    all === undefined ? undefined : visibility.resources(all);
  return {
    type: 'AGENT_ADDED',
    agent_added: {
      agent: {
        ...agent,
        agent_info: { ...agent.agent_info, resources: part(agent.agent_info.resources) },
        total_resources: part(agent.total_resources),
        allocated_resources: part(agent.allocated_resources),
        offered_resources: part(agent.offered_resources),
      },
    },
  };
}

function isVisible(state: MasterState, visibility: Visibility, event: MasterEvent): boolean {
  if (visibility === seesAll) return true;
  const infoOf = (id: string) => state.frameworks.get(id)?.info;
  switch (event.type) {
    case 'TASK_ADDED': {
      const { task } = event.task_added;
      return visibility.task(task, infoOf(task.framework_id.value));
    }
    case 'TASK_UPDATED': {
      const { framework_id, status } = event.task_updated;
      const task = state.findTask(framework_id.value, status.task_id.value);
      const info = infoOf(framework_id.value);
      if (info === undefined || !visibility.framework(info)) return false;
      return task === undefined || visibility.task(task, info);
    }
    case 'FRAMEWORK_ADDED':
      return visibility.framework(event.framework_added.framework.framework_info);
    case 'FRAMEWORK_UPDATED':
      return visibility.framework(event.framework_updated.framework.framework_info);
    case 'FRAMEWORK_REMOVED':
      return visibility.framework(event.framework_removed.framework_info);
    default:
      return true;
  }
}
