import type { Clock, Logger, Random } from '@factory/runtime';
import { Allocator } from '../allocator/index.ts';
import type { FilesApi } from '../files/endpoints.ts';
import { LoggingLevel } from '../logging-level.ts';
import {
  encodeMessage,
  type FrameworkInfo,
  type MasterInfo,
  newUuidText,
  type SchedulerEvent,
  type TaskState,
  type TaskStatus,
  type TaskStatusReason,
} from '../protocol/index.ts';
import { type Authorizer, allowAll } from '../security/index.ts';
import { InverseOffers } from './maintenance/inverse-offers.ts';
import { masterInfoOf } from './master-info.ts';
import { MasterMetrics } from './metrics/master-metrics.ts';
import { OperationBook } from './operations/book.ts';
import { Recovery } from './recovery.ts';
import type { Registry, RegistryStore } from './registry.ts';
import type { MasterAddress, MasterSettings } from './settings.ts';
import {
  type Agent,
  type Framework,
  hasCapability,
  MasterState,
  type TaskListener,
} from './state.ts';
import { OperatorEvents } from './views/operator-events.ts';
import { masterFilesApi } from './views/own-endpoints.ts';

/** Removed frameworks that are remembered, so that they can be told. */
const REMOVED_FRAMEWORKS_MAX = 1_000;
/** More than one start of a master can ever make. */
const OFFERS_PER_START = 1e9;

/** What all parts of the master share: its memory, its registry, its ways to speak. */
export class MasterCore {
  readonly state: MasterState;
  /** What has happened so far, counted. */
  readonly metrics = new MasterMetrics();
  /** Changes of agents' resources that are under way. */
  readonly operations = new OperationBook((...change) => this.metrics.onOperation(...change));
  /** Requests to leave agents before their maintenance. */
  readonly inverseOffers = new InverseOffers(this);
  /** Who is offered what; see its port for what other parts may tell it. */
  readonly allocator: Allocator;
  /** What operators who have subscribed are told. */
  readonly events = new OperatorEvents();
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly settings: MasterSettings;
  readonly address: MasterAddress;
  /** Who may do what. */
  readonly authorizer: Authorizer;
  /** As operators see them. */
  readonly flags: Readonly<Record<string, string>>;
  readonly logging: LoggingLevel;
  readonly filesApi: FilesApi;
  readonly startedAtMs: number;
  readonly startedMonotonicMs: number;
  /** What is expected of the agents that the last master knew. */
  readonly recovery: Recovery;
  /** This master can't go on: its process has to end. */
  readonly onFatal: (why: string) => void;
  registry: Registry;
  readonly #store: RegistryStore;
  #lastSave: Promise<void> = Promise.resolve();
  #nextSave: Promise<void> | undefined;
  #nextOffer = 0;
  /** Monotonic time at which filters are looked at next. */
  nextExpiryMs = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly settings: MasterSettings;
    readonly address: MasterAddress;
    readonly registry: Registry;
    readonly store: RegistryStore;
    readonly authorizer?: Authorizer;
    readonly logging?: LoggingLevel | undefined;
    readonly flags?: Readonly<Record<string, string>>;
    readonly onFatal?: ((why: string) => void) | undefined;
  }) {
    this.clock = options.clock;
    this.random = options.random;
    this.logging = options.logging ?? new LoggingLevel(options.clock);
    this.logger = this.logging.logger(options.logger);
    this.flags = options.flags ?? {};
    this.settings = options.settings;
    this.address = options.address;
    this.registry = options.registry;
    this.startedAtMs = options.clock.nowMs();
    this.startedMonotonicMs = options.clock.monotonicMs();
    this.#store = options.store;
    const isolateGroups = options.settings.frameworkGroupLabel !== undefined;
    this.allocator = new Allocator({ ...options.settings, isolateGroups, random: options.random });
    const onTask: TaskListener = (...change) => this.metrics.onTask(...change);
    this.state = new MasterState(this.allocator, onTask, options.settings);
    const authorizer = options.authorizer ?? allowAll;
    this.authorizer = authorizer;
    this.onFatal = options.onFatal ?? ((why) => this.logger.error({ why }, 'this master must end'));
    this.recovery = new Recovery(this);
    this.filesApi = masterFilesApi(options.clock, authorizer);
  }

  /**
   * Changes the registry; resolves when that is durable. Changes made while it is being written go
   * together into the next write.
   */
  updateRegistry(change: (registry: Registry) => Registry): Promise<void> {
    this.registry = change(this.registry);
    this.#nextSave ??= this.#saveAfter(this.#lastSave);
    return this.#nextSave;
  }

  async #saveAfter(previous: Promise<void>): Promise<void> {
    // Whoever asked for the previous one has its error.
    await previous.catch(() => undefined);
    this.#nextSave = undefined;
    const startMs = this.clock.monotonicMs();
    this.#lastSave = this.#store.save(this.registry);
    await this.#lastSave;
    this.metrics.registryStore.note(this.clock.monotonicMs() - startMs);
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
    const { domain } = this.settings;
    const info = masterInfoOf(this.address.id ?? this.registry.masterId, this.address);
    return domain === undefined ? info : { ...info, domain };
  }

  newStreamId(): string {
    return newUuidText(this.random);
  }

  newOfferId(): string {
    // Offers are not registered: each start of the master has a range of numbers of its own.
    const number = this.registry.starts * OFFERS_PER_START + this.#nextOffer;
    this.#nextOffer += 1;
    return `${this.registry.masterId}-O${number}`;
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
    if (status.source === 'SOURCE_MASTER') this.metrics.onMasterStatus(framework?.id, status);
    this.send(framework, { type: 'UPDATE', update: { status } });
  }

  /** Tells a framework, and operators, that a task's state has changed. */
  tellTaskUpdate(frameworkId: string, status: TaskStatus, state: TaskState): void {
    this.events.emit(() => ({
      type: 'TASK_UPDATED',
      task_updated: { framework_id: { value: frameworkId }, status, state },
    }));
    this.sendStatus(this.state.frameworks.get(frameworkId), status);
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
  }

  rescindOffersOf(agent: Agent): void {
    this.rescind(
      this.state.offersOfAgent(agent.id).map((offer) => offer.id.value),
      true,
    );
    this.inverseOffers.rescindOfAgent(agent.id);
  }
}

export function encodeSchedulerEvent(encoding: 'json' | 'protobuf') {
  return (event: SchedulerEvent): Uint8Array => encodeMessage('scheduler.Event', encoding, event);
}
