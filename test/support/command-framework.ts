import { systemClock, waitFor } from '@factory/runtime';
import type {
  Offer,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskState,
} from 'mesos-core/protocol';
import { type Address, openStream, Pipeline, type RawStream } from '../bench/master/raw-http.ts';

const PATH = '/api/v1/scheduler';
const TASK_CPUS = 0.1;
const TASK_MEMORY_MIB = 32;
const ENDS: ReadonlySet<TaskState> = new Set<TaskState>([
  ...(['TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED', 'TASK_ERROR', 'TASK_LOST'] as const),
  ...(['TASK_DROPPED', 'TASK_GONE'] as const),
]);

/** A framework on the bare v1 JSON API: runs one command so many times. */
export class CommandFramework {
  /** How tasks ended, by state. */
  readonly ends = new Map<TaskState, number>();
  firstOfferMs = Number.NaN;
  lastEndMs = Number.NaN;
  readonly #address: Address;
  readonly #command: string;
  readonly #count: number;
  readonly #pipeline: Pipeline;
  readonly #decoder = new TextDecoder();
  #frameworkId = '';
  #stream: RawStream | undefined;
  #launched = 0;
  #ended = 0;

  constructor(address: Address, command: string, count: number) {
    this.#address = address;
    this.#command = command;
    this.#count = count;
    this.#pipeline = new Pipeline(address);
  }

  /** Resolves when all tasks have ended. */
  async run(timeoutMs: number): Promise<void> {
    const framework_info = {
      ...{ user: 'root', name: 'commands', roles: ['*'], checkpoint: true },
      capabilities: [{ type: 'MULTI_ROLE' as const }, { type: 'PARTITION_AWARE' as const }],
    };
    const { promise, resolve } = Promise.withResolvers<void>();
    const body = JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info } });
    this.#stream = await openStream(this.#address, PATH, body, {
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
    const what = `the end of ${this.#count} tasks`;
    await waitFor(systemClock, what, timeoutMs, () => this.#ended >= this.#count || undefined, 5);
  }

  /** Leaves the cluster for good. */
  async close(): Promise<void> {
    await this.#call({ type: 'TEARDOWN' });
    this.#stream?.close();
    this.#pipeline.close();
  }

  #onEvent(event: SchedulerEvent): void {
    if (event.type === 'OFFERS') {
      if (Number.isNaN(this.firstOfferMs)) this.firstOfferMs = systemClock.monotonicMs();
      for (const offer of event.offers.offers ?? []) this.#take(offer);
    }
    if (event.type !== 'UPDATE') return;
    const { agent_id, task_id, uuid, state } = event.update.status;
    if (uuid !== undefined && agent_id !== undefined) {
      void this.#call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
    }
    if (!ENDS.has(state)) return;
    this.ends.set(state, (this.ends.get(state) ?? 0) + 1);
    this.#ended += 1;
    this.lastEndMs = systemClock.monotonicMs();
  }

  /** As many tasks as fit. */
  #take(offer: Offer): void {
    const cpus = offer.resources?.find(({ name }) => name === 'cpus')?.scalar?.value ?? 0;
    const fitting = Math.floor(cpus / TASK_CPUS + 1e-6);
    const count = Math.min(fitting, this.#count - this.#launched);
    const tasks = Array.from({ length: count }, () => this.#task(offer));
    void this.#call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        filters: { refuse_seconds: this.#launched < this.#count ? 0 : 3600 },
      },
    });
  }

  #task({ agent_id }: Offer): TaskInfo {
    const id = `task-${this.#launched}`;
    this.#launched += 1;
    const scalar = (name: string, value: number) =>
      ({ name, type: 'SCALAR', scalar: { value } }) as const;
    return {
      ...{ name: id, task_id: { value: id }, agent_id },
      resources: [scalar('cpus', TASK_CPUS), scalar('mem', TASK_MEMORY_MIB)],
      command: { value: this.#command },
    };
  }

  async #call(call: SchedulerCall): Promise<void> {
    const body = JSON.stringify({ ...call, framework_id: { value: this.#frameworkId } });
    const headers = `mesos-stream-id: ${this.#stream?.streamId}\r\n`;
    // Tasks that do not end show that a call was lost.
    await this.#pipeline.post(PATH, headers, body).catch(() => undefined);
  }
}
