import type { IncomingMessage } from 'node:http';
import { expect } from 'vitest';
import type {
  FrameworkInfo,
  Offer,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskStatus,
} from '../../../../mesos-core/src/protocol/index.ts';
import { callApi, type Route, requestFor } from './api.ts';
import { EventLog, type EventOf } from './event-log.ts';
import { type Answer, open } from './raw-http.ts';
import { noteTraffic } from './traffic.ts';
import { decode, type Encoding } from './wire.ts';

/** A call without the framework's id, which is filled in. */
export type Call = SchedulerCall extends infer C
  ? C extends SchedulerCall
    ? Omit<C, 'framework_id'>
    : never
  : never;

/** A framework as the cases like it best. */
export const FRAMEWORK: FrameworkInfo = {
  name: 'conformance',
  user: 'root',
  checkpoint: true,
  failover_timeout: 60,
  roles: ['eng'],
  principal: 'conformance',
  capabilities: [
    { type: 'MULTI_ROLE' },
    { type: 'PARTITION_AWARE' },
    { type: 'TASK_KILLING_STATE' },
    { type: 'RESERVATION_REFINEMENT' },
  ],
};

/** A scheduler that is nothing but HTTP. */
export class RawFramework {
  readonly #route: Route<'scheduler.Call'>;
  readonly #stream: IncomingMessage;
  readonly #log = new EventLog<SchedulerEvent>();

  private constructor(route: Route<'scheduler.Call'>, stream: IncomingMessage) {
    this.#route = route;
    this.#stream = stream;
    void this.#log.read(stream, (record) => decode(route.encoding, 'scheduler.Event', record));
  }

  /** Subscribes and waits for SUBSCRIBED. */
  static async subscribe(...given: Parameters<typeof RawFramework.open>): Promise<RawFramework> {
    const framework = await RawFramework.open(...given);
    await framework.next('SUBSCRIBED');
    return framework;
  }

  /** Subscribes; what comes may be an ERROR. */
  static async open(
    master: string,
    encoding: Encoding,
    info: Partial<FrameworkInfo> = {},
  ): Promise<RawFramework> {
    const framework_info = { ...FRAMEWORK, ...info };
    const { id } = framework_info;
    const call = {
      ...(id === undefined ? {} : { framework_id: id }),
      ...{ type: 'SUBSCRIBE' as const, subscribe: { framework_info } },
    };
    const route = { url: `${master}/api/v1/scheduler`, name: 'scheduler.Call', encoding } as const;
    const stream = await open(requestFor(route, call));
    if (stream.statusCode !== 200) {
      throw new Error(`SUBSCRIBE was answered with ${stream.statusCode}`);
    }
    noteTraffic(encoding, 'scheduler.Call', call);
    return new RawFramework(route, stream);
  }

  /** Makes a call that is taken: an empty 202. */
  async accepted(call: Call): Promise<void> {
    const { status, body } = await this.call(call);
    expect({ status, body: body.toString() }).toEqual({ status: 202, body: '' });
  }

  get events(): readonly SchedulerEvent[] {
    return this.#log.events;
  }

  get id(): string {
    const subscribed = this.events.find((event) => event.type === 'SUBSCRIBED');
    return subscribed?.type === 'SUBSCRIBED' ? subscribed.subscribed.framework_id.value : '';
  }

  get streamId(): string {
    return String(this.#stream.headers['mesos-stream-id']);
  }

  get headers() {
    return this.#stream.headers;
  }

  /** Makes a call; the answer is the caller's to judge. */
  call(call: Call, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const whole = { framework_id: { value: this.id }, ...call } as SchedulerCall;
    return callApi(this.#route, whole, { 'mesos-stream-id': this.streamId, ...headers });
  }

  /** The next event of a type, that fits, and that was not given before. */
  next<T extends SchedulerEvent['type']>(
    type: T,
    fits?: (event: EventOf<SchedulerEvent, T>) => boolean,
  ): Promise<EventOf<SchedulerEvent, T>> {
    return this.#log.next(type, fits);
  }

  /** The next offer that fits; those rescinded are no offers. */
  async offer(fits: (offer: Offer) => boolean = () => true): Promise<Offer> {
    const isOpen = ({ id }: Offer) =>
      !this.events.some(
        (event) => event.type === 'RESCIND' && event.rescind.offer_id.value === id.value,
      );
    const find = ({ offers }: EventOf<SchedulerEvent, 'OFFERS'>) =>
      offers.offers?.find((offer) => isOpen(offer) && fits(offer));
    const found = find(await this.next('OFFERS', (event) => find(event) !== undefined));
    if (found === undefined) throw new Error('the offer was rescinded');
    return found;
  }

  /** Accepts an offer with LAUNCH of these tasks. */
  async launch(offer: Offer, ...tasks: readonly TaskInfo[]): Promise<void> {
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: tasks } }];
    const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } };
    await this.call({ type: 'ACCEPT', accept });
  }

  /** Waits for a state of a task; this update and those before are acknowledged. */
  async status(taskId: string, state: TaskStatus['state']): Promise<TaskStatus> {
    for (;;) {
      const { update } = await this.next('UPDATE', (e) => e.update.status.task_id.value === taskId);
      await this.acknowledge(update.status);
      if (update.status.state === state) return update.status;
    }
  }

  async acknowledge({ task_id, agent_id, uuid }: TaskStatus): Promise<void> {
    if (uuid === undefined || agent_id === undefined) return;
    await this.call({ type: 'ACKNOWLEDGE', acknowledge: { task_id, agent_id, uuid } });
  }

  /** Takes the framework down, with all that it runs. */
  async teardown(): Promise<void> {
    await this.call({ type: 'TEARDOWN' }).catch(() => undefined);
    this.cut();
  }

  /** Breaks the connection, as a scheduler that dies does. */
  cut(): void {
    this.#stream.destroy();
  }

  /** Resolves when the master has ended the stream. */
  ended(): Promise<void> {
    return this.#log.ended();
  }
}
