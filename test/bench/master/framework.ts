import { systemClock } from '@factory/runtime';
import type { Offer, SchedulerCall, SchedulerEvent, TaskInfo } from 'mesos-core/protocol';
import { type Address, openStream, Pipeline, type RawStream } from './raw-http.ts';

const PATH = '/api/v1/scheduler';
/** Tasks in one ACCEPT, as in the measurement of Apache Mesos that this one is compared with. */
const TASKS_PER_ACCEPT = 10;
const TASK_CPUS = 0.1;
const TASK_MEMORY_MIB = 10;

type Offers = readonly Offer[];

/** A framework over the v1 JSON API, which does with offers what it is told. */
export class LoadFramework {
  /** All tasks that were reported as running. */
  running = 0;
  offers = 0;
  /** When the first offer came and when the last task ran; monotonic. */
  firstOfferMs = Number.NaN;
  lastRunningMs = Number.NaN;
  readonly #pipeline: Pipeline;
  readonly #address: Address;
  readonly #name: string;
  readonly #decoder = new TextDecoder();
  #frameworkId = '';
  #stream: RawStream | undefined;
  #onOffers: (offers: Offers) => void = () => undefined;
  #launched = 0;

  constructor(address: Address, name: string) {
    this.#address = address;
    this.#name = name;
    this.#pipeline = new Pipeline(address);
  }

  /** Launches tasks of 0.1 CPUs until there are `count`, and refuses what is left. */
  launch(count: number): void {
    this.#onOffers = (offers) => {
      for (const offer of offers) {
        if (this.#launched >= count) this.#decline([offer]);
        else this.#accept(offer, Math.min(TASKS_PER_ACCEPT, count - this.#launched));
      }
    };
  }

  /** Refuses everything, for Mesos' usual five seconds. */
  refuse(): void {
    this.#onOffers = (offers) => this.#decline(offers);
  }

  async subscribe(): Promise<void> {
    const framework_info = {
      ...{ user: 'root', name: this.#name, roles: [this.#name], failover_timeout: 600 },
      capabilities: [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }],
      ...(this.#frameworkId === '' ? {} : { id: { value: this.#frameworkId } }),
    };
    const id = this.#frameworkId === '' ? {} : { framework_id: { value: this.#frameworkId } };
    const call = { ...id, type: 'SUBSCRIBE', subscribe: { framework_info } };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream = await openStream(this.#address, PATH, JSON.stringify(call), {
      onRecord: (record) => {
        const event: SchedulerEvent = JSON.parse(this.#decoder.decode(record));
        if (event.type === 'SUBSCRIBED') {
          this.#frameworkId = event.subscribed.framework_id.value;
          resolve();
        } else {
          // SUBSCRIBED comes with the head of the answer, before its stream id is known here.
          void promise.then(() => this.#onEvent(event));
        }
      },
      onEnd: () => undefined,
    });
    await promise;
  }

  close(): void {
    this.#stream?.close();
    this.#pipeline.close();
  }

  #onEvent(event: SchedulerEvent): void {
    if (event.type === 'OFFERS') {
      const { offers } = event.offers;
      if (Number.isNaN(this.firstOfferMs)) this.firstOfferMs = systemClock.monotonicMs();
      this.offers += offers?.length ?? 0;
      this.#onOffers(offers ?? []);
    }
    if (event.type === 'UPDATE') {
      const { status } = event.update;
      if (status.uuid !== undefined && status.agent_id !== undefined) {
        const { agent_id, task_id, uuid } = status;
        this.#call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
      }
      if (status.state !== 'TASK_RUNNING') return;
      this.running += 1;
      this.lastRunningMs = systemClock.monotonicMs();
    }
  }

  #accept(offer: Offer, count: number): void {
    const tasks = Array.from({ length: count }, () => this.#task(offer));
    this.#call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        filters: { refuse_seconds: 3600 },
      },
    });
  }

  #task(offer: Offer): TaskInfo {
    const id = `task-${this.#launched}`;
    this.#launched += 1;
    const { agent_id } = offer;
    const scalar = (name: string, value: number) =>
      ({ name, type: 'SCALAR', scalar: { value } }) as const;
    return {
      ...{ name: id, task_id: { value: id }, agent_id },
      resources: [scalar('cpus', TASK_CPUS), scalar('mem', TASK_MEMORY_MIB)],
      command: { value: 'sleep 1000' },
    };
  }

  #decline(offers: Offers): void {
    this.#call({ type: 'DECLINE', decline: { offer_ids: offers.map(({ id }) => id) } });
  }

  #call(call: SchedulerCall): void {
    const body = JSON.stringify({ ...call, framework_id: { value: this.#frameworkId } });
    const headers = `mesos-stream-id: ${this.#stream?.streamId}\r\n`;
    // A master that is killed takes calls with it; the bench counts what became of tasks.
    this.#pipeline.post(PATH, headers, body).catch(() => undefined);
  }
}
