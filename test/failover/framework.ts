import { join } from 'node:path';
import {
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { openMasters, SchedulerClient } from 'mesos-core/client';
import {
  type Offer,
  parseResources,
  type SchedulerEvent,
  type TaskInfo,
  type TaskStatus,
} from 'mesos-core/protocol';

const EXECUTOR = join(import.meta.dirname, '../../mesos-core/fixtures/tiny-executor.ts');
const WAIT_MS = 30_000;

/** A framework whose tasks run for ever; it finds its master through ZooKeeper. */
export class Framework {
  readonly #client: SchedulerClient;
  readonly #masters: ReturnType<typeof openMasters>;
  /** Newest state of each task that was launched. */
  readonly states = new Map<string, string>();
  /** Words of tasks that did not run any more. */
  readonly lost: string[] = [];
  #offers: readonly Offer[] = [];
  #launched = 0;

  constructor(transport: HttpTransport, zooKeeperUrl: string) {
    const world = { clock: systemClock, random: systemRandom, logger: silentLogger };
    this.#masters = openMasters(zooKeeperUrl, world);
    const { detector } = this.#masters;
    if (detector === undefined) throw new Error('not a ZooKeeper URL');
    this.#client = new SchedulerClient({
      ...world,
      transport,
      masters: detector,
      backoffMaxMs: 500,
      frameworkInfo: {
        ...{ name: 'failover', user: 'root', checkpoint: true, failover_timeout: 3600 },
        roles: ['failover'],
        capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
      },
      onEvent: (event) => this.#onEvent(event),
    });
    this.#client.run().catch((error: unknown) => {
      console.log(`  FAIL the framework was refused: ${error}`);
      process.exitCode = 1;
    });
  }

  /** Origin of the master that leads as far as ZooKeeper says. */
  get leader(): string | undefined {
    const address = this.#masters.detector?.leader?.info.address;
    return address === undefined ? undefined : `http://${address.ip}:${address.port}`;
  }

  get isSubscribed(): boolean {
    return this.#client.state === 'subscribed';
  }

  /** Launches tasks with the next offer there is; resolves when the master has accepted them. */
  async launch(count: number): Promise<readonly string[]> {
    const offer = await waitFor(systemClock, 'an offer', WAIT_MS, () => this.#takeOffer(), 20);
    const tasks = Array.from({ length: count }, () => this.#newTask(offer));
    const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: tasks } }];
    const filters = { refuse_seconds: 0 };
    await this.#client.call({
      type: 'ACCEPT',
      accept: { offer_ids: [offer.id], operations, filters },
    });
    const ids = tasks.map(({ task_id }) => task_id.value);
    for (const id of ids) this.states.set(id, this.states.get(id) ?? 'TASK_STAGING');
    return ids;
  }

  /** Waits until every task that was launched has said that it runs. */
  async allRunning(): Promise<void> {
    await waitFor(systemClock, 'all tasks to run', WAIT_MS, () =>
      [...this.states.values()].every((state) => state === 'TASK_RUNNING') ? true : undefined,
    );
  }

  async close(): Promise<void> {
    await this.#client.stop();
    await this.#masters.close();
  }

  #takeOffer(): Offer | undefined {
    const [offer, ...rest] = this.#offers;
    this.#offers = rest;
    return offer;
  }

  #newTask(offer: Offer): TaskInfo {
    const id = `task-${this.#launched}`;
    this.#launched += 1;
    return {
      ...{ name: id, task_id: { value: id }, agent_id: offer.agent_id },
      resources: parseResources('cpus:0.1;mem:16'),
      executor: {
        type: 'CUSTOM',
        executor_id: { value: 'tiny' },
        resources: parseResources('cpus:0.1;mem:32'),
        command: {
          ...{ shell: false, value: process.execPath },
          arguments: ['node', '--no-warnings', EXECUTOR],
        },
      },
    };
  }

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#offers = [];
        break;
      case 'OFFERS':
        this.#offers = [...this.#offers, ...(event.offers.offers ?? [])];
        break;
      case 'RESCIND':
        this.#offers = this.#offers.filter(({ id }) => id.value !== event.rescind.offer_id.value);
        break;
      case 'UPDATE':
        this.#onUpdate(event.update.status);
        break;
    }
  }

  #onUpdate(status: TaskStatus): void {
    const { uuid, task_id, agent_id, state = 'TASK_UNKNOWN', reason, message } = status;
    this.states.set(task_id.value, state);
    if (!['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING'].includes(state)) {
      this.lost.push(`${task_id.value} ${state} ${reason} ${message}`);
    }
    if (uuid === undefined || agent_id === undefined) return;
    const call = { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } } as const;
    // One that does not arrive is asked for again.
    this.#client.call(call).catch(() => undefined);
  }
}
