import type { Clock, Logger, Random } from '@factory/runtime';
import {
  encodeMessage,
  type FrameworkInfo,
  type MasterInfo,
  type Resources,
  type SchedulerEvent,
  type Task,
  type TaskInfo,
  type TaskState,
  type TaskStatus,
  type TaskStatusReason,
} from '../protocol/index.ts';
import type { Registry, RegistryStore } from './registry.ts';
import { type MasterAddress, type MasterSettings, MESOS_VERSION } from './settings.ts';
import { type Agent, type Framework, hasCapability, MasterState } from './state.ts';

/** Removed frameworks that are remembered, so that they can be told. */
const REMOVED_FRAMEWORKS_MAX = 1_000;

/** What all parts of the master share: its memory, its registry, its ways to speak. */
export class MasterCore {
  readonly state = new MasterState();
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly settings: MasterSettings;
  readonly address: MasterAddress;
  readonly startedAtMs: number;
  registry: Registry;
  readonly #store: RegistryStore;
  #saving: Promise<void> = Promise.resolve();
  #nextOffer = 0;
  /** Asks for an allocation round; set by the allocator's driver. */
  requestAllocation: () => void = () => undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly settings: MasterSettings;
    readonly address: MasterAddress;
    readonly registry: Registry;
    readonly store: RegistryStore;
  }) {
    this.clock = options.clock;
    this.random = options.random;
    this.logger = options.logger;
    this.settings = options.settings;
    this.address = options.address;
    this.registry = options.registry;
    this.startedAtMs = options.clock.nowMs();
    this.#store = options.store;
  }

  /** Changes the registry; resolves when that is durable. */
  async updateRegistry(change: (registry: Registry) => Registry): Promise<void> {
    this.registry = change(this.registry);
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#store.save(this.registry));
    await this.#saving;
  }

  /** Remembers that the framework may not come back. */
  async registerRemoval(frameworkId: string): Promise<void> {
    await this.updateRegistry((registry) => ({
      ...registry,
      frameworks: registry.frameworks.filter(({ id }) => id !== frameworkId),
      removedFrameworkIds: [...registry.removedFrameworkIds, frameworkId].slice(
        -REMOVED_FRAMEWORKS_MAX,
      ),
    }));
  }

  get masterInfo(): MasterInfo {
    const { hostname, ip, port } = this.address;
    return {
      id: this.registry.masterId,
      ip: packIp(ip),
      port,
      pid: `master@${ip}:${port}`,
      hostname,
      version: MESOS_VERSION,
      address: { hostname, ip, port },
      capabilities: [{ type: 'AGENT_UPDATE' }, { type: 'AGENT_DRAINING' }, { type: 'QUOTA_V2' }],
    };
  }

  newStreamId(): string {
    const hex = Buffer.from(this.random.bytes(16)).toString('hex');
    const [a, b, c, d] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(13, 16), hex.slice(17, 20)];
    return `${a}-${b}-4${c}-8${d}-${hex.slice(20)}`;
  }

  newOfferId(): string {
    const id = `${this.registry.masterId}-O${this.#nextOffer}`;
    this.#nextOffer += 1;
    return id;
  }

  send(framework: Framework | undefined, event: SchedulerEvent): void {
    framework?.stream?.send(event);
  }

  /** A status that the master itself makes: never acknowledged, so it carries no uuid. */
  masterStatus(
    taskId: string,
    agentId: string | undefined,
    state: TaskState,
    reason: TaskStatusReason,
    message: string,
  ): TaskStatus {
    return {
      task_id: { value: taskId },
      state,
      message,
      source: 'SOURCE_MASTER',
      reason,
      ...(agentId === undefined ? {} : { agent_id: { value: agentId } }),
      timestamp: this.clock.nowMs() / 1000,
    };
  }

  sendStatus(framework: Framework | undefined, status: TaskStatus): void {
    this.send(framework, { type: 'UPDATE', update: { status } });
  }

  /** The state that says "lost" to this framework: a newer word for those who know it. */
  lostState(info: FrameworkInfo | undefined, aware: TaskState): TaskState {
    return info !== undefined && hasCapability(info, 'PARTITION_AWARE') ? aware : 'TASK_LOST';
  }

  /** Gives back the resources of some offers and tells their frameworks. */
  rescind(offerIds: readonly string[], tell: boolean): void {
    for (const offerId of offerIds) {
      const offer = this.state.removeOffer(offerId);
      if (offer === undefined || !tell) continue;
      const framework = this.state.frameworks.get(offer.framework_id.value);
      this.send(framework, { type: 'RESCIND', rescind: { offer_id: offer.id } });
    }
    this.requestAllocation();
  }

  rescindOffersOf(agent: Agent): void {
    this.rescind(
      this.state.offersOfAgent(agent.id).map((offer) => offer.id.value),
      true,
    );
  }
}

/** The bytes of an address as one number, the first byte lowest, as `MasterInfo.ip` has it. */
function packIp(ip: string): number {
  const bytes = ip.split('.').map(Number);
  return bytes.reduceRight((packed, byte) => packed * 256 + byte, 0);
}

export function encodeSchedulerEvent(encoding: 'json' | 'protobuf') {
  return (event: SchedulerEvent): Uint8Array => encodeMessage('scheduler.Event', encoding, event);
}

/** A task as it is kept, made of what was launched. */
export function taskOf(info: TaskInfo, frameworkId: string, resources: Resources): Task {
  const { name, task_id, agent_id, executor, labels, discovery, container, health_check } = info;
  return {
    name,
    task_id,
    agent_id,
    framework_id: { value: frameworkId },
    state: 'TASK_STAGING',
    resources,
    statuses: [],
    executor_id: executor?.executor_id ?? { value: task_id.value },
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container }),
    ...(health_check === undefined ? {} : { health_check }),
  };
}
