import type { Timer } from '@factory/runtime';
import type { Encoding, FrameworkInfo, SchedulerEvent } from '../protocol/index.ts';
import { encodeSchedulerEvent, type MasterCore } from './core.ts';
import { type EventStream, openEventStream } from './event-stream.ts';
import { frameworkInfoProblem } from './framework-info.ts';
import { type Framework, hasCapability, isTerminal, rolesOf } from './state.ts';

/** Removed frameworks that operators can still look at. */
const COMPLETED_FRAMEWORKS_MAX = 50;

/** Comings and goings of frameworks. */
export class Frameworks {
  readonly #core: MasterCore;
  /** Running out for frameworks that are away. */
  readonly #failoverTimers = new Map<string, Timer>();

  constructor(core: MasterCore) {
    this.#core = core;
  }

  /** Frameworks of an earlier master: they have their failover timeout to come back. */
  recover(): void {
    for (const { id, name, failoverTimeoutSeconds } of this.#core.registry.frameworks) {
      this.#startFailoverTimer(id, failoverTimeoutSeconds);
      this.#core.logger.info({ frameworkId: id, name }, 'waiting for a framework to come back');
    }
  }

  close(): void {
    for (const timer of this.#failoverTimers.values()) timer.cancel();
    for (const framework of this.#core.state.frameworks.values()) framework.stream?.end();
  }

  /**
   * Subscribes a scheduler; the stream is its answer. Problems are told on the stream, as Mesos
   * does, which then ends.
   */
  async subscribe(
    info: FrameworkInfo,
    suppressedRoles: readonly string[],
    encoding: Encoding,
  ): Promise<EventStream<SchedulerEvent>> {
    const problem = this.#problem(info);
    if (problem !== undefined) return this.#refusal(problem, encoding);
    const framework = await this.#admit(info);
    const previous = framework.stream;
    const stream = this.#open(framework.id, encoding);
    this.#failOver(framework, previous);
    framework.stream = stream;
    framework.recovered = false;
    framework.info = { ...info, id: { value: framework.id } };
    framework.reregisteredAtMs = this.#core.clock.nowMs();
    framework.filters = [];
    framework.suppressedRoles.clear();
    for (const role of suppressedRoles) framework.suppressedRoles.add(role);
    this.#failoverTimers.get(framework.id)?.cancel();
    this.#failoverTimers.delete(framework.id);
    this.#greet(framework);
    this.#tellAgents(framework);
    this.#core.requestAllocation();
    return stream;
  }

  /** Takes a changed description. @returns what is wrong with it, or `undefined`. */
  update(framework: Framework, info: FrameworkInfo): string | undefined {
    const problem = frameworkInfoProblem(info);
    if (problem !== undefined) return problem;
    framework.info = { ...info, id: { value: framework.id } };
    const roles = rolesOf(framework.info);
    const lost = this.#core.state
      .offersOfFramework(framework.id)
      .filter((offer) => !roles.includes(offer.allocation_info?.role ?? '*'));
    this.#core.rescind(
      lost.map((offer) => offer.id.value),
      true,
    );
    this.#tellAgents(framework);
    return undefined;
  }

  /** Ends a framework for good: its executors are shut down, its id is not accepted again. */
  async remove(framework: Framework): Promise<void> {
    const { state } = this.#core;
    const offers = state.offersOfFramework(framework.id).map((offer) => offer.id.value);
    this.#core.rescind(offers, false);
    this.#failoverTimers.get(framework.id)?.cancel();
    this.#failoverTimers.delete(framework.id);
    const { stream } = framework;
    framework.stream = undefined;
    stream?.end();
    for (const agent of state.agents.values()) {
      agent.stream?.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: framework.id });
      for (const task of [...agent.tasks.values()]) {
        if (task.framework_id.value !== framework.id) continue;
        const last = isTerminal(task.state) ? task.state : 'TASK_KILLED';
        state.removeTask(agent, { ...task, state: last });
      }
      for (const entry of [...agent.executors.values()]) {
        if (entry.frameworkId !== framework.id) continue;
        state.removeExecutor(agent, framework.id, entry.info.executor_id.value);
      }
    }
    state.frameworks.delete(framework.id);
    state.completedFrameworks.push(framework);
    if (state.completedFrameworks.length > COMPLETED_FRAMEWORKS_MAX) {
      state.completedFrameworks.shift();
    }
    await this.#core.registerRemoval(framework.id);
    this.#core.requestAllocation();
  }

  #problem(info: FrameworkInfo): string | undefined {
    const id = info.id?.value ?? '';
    if (this.#core.registry.removedFrameworkIds.includes(id)) return 'Framework has been removed';
    return frameworkInfoProblem(info);
  }

  #refusal(message: string, encoding: Encoding): EventStream<SchedulerEvent> {
    const stream = this.#newStream(encoding, () => undefined);
    stream.send({ type: 'ERROR', error: { message } });
    stream.end();
    return stream;
  }

  /** Finds the framework or makes it; a new id is durable before it is given out. */
  async #admit(info: FrameworkInfo): Promise<Framework> {
    const { state } = this.#core;
    const known = state.frameworks.get(info.id?.value ?? '');
    if (known !== undefined) {
      await this.#register(known.id, info);
      return known;
    }
    const number = this.#core.registry.nextFrameworkNumber;
    const givenId = info.id?.value ?? '';
    const id = givenId !== '' ? givenId : `${this.#core.registry.masterId}-${pad(number)}`;
    const framework = newFramework(id, info, this.#core.clock.nowMs());
    state.frameworks.set(id, framework);
    await this.#register(id, info);
    return framework;
  }

  async #register(id: string, info: FrameworkInfo): Promise<void> {
    const entry = { id, name: info.name, failoverTimeoutSeconds: info.failover_timeout ?? 0 };
    const { frameworks, nextFrameworkNumber } = this.#core.registry;
    const known = frameworks.find((each) => each.id === id);
    const isSame =
      known?.name === entry.name && known.failoverTimeoutSeconds === entry.failoverTimeoutSeconds;
    if (isSame) return;
    const isNewId = id === `${this.#core.registry.masterId}-${pad(nextFrameworkNumber)}`;
    await this.#core.updateRegistry((registry) => ({
      ...registry,
      nextFrameworkNumber: registry.nextFrameworkNumber + Number(isNewId),
      frameworks: [...registry.frameworks.filter((each) => each.id !== id), entry],
    }));
  }

  #open(frameworkId: string, encoding: Encoding): EventStream<SchedulerEvent> {
    const stream = this.#newStream(encoding, () => this.#onStreamClosed(frameworkId, stream));
    return stream;
  }

  #newStream(encoding: Encoding, onClosed: () => void): EventStream<SchedulerEvent> {
    return openEventStream<SchedulerEvent>({
      id: this.#core.newStreamId(),
      clock: this.#core.clock,
      encode: encodeSchedulerEvent(encoding),
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: this.#core.settings.heartbeatIntervalMs,
      onClosed,
    });
  }

  /** The scheduler that was connected before is told, and loses its offers. */
  #failOver(framework: Framework, previous: EventStream<SchedulerEvent> | undefined): void {
    const offers = this.#core.state.offersOfFramework(framework.id);
    this.#core.rescind(
      offers.map((offer) => offer.id.value),
      previous !== undefined,
    );
    previous?.send({ type: 'ERROR', error: { message: 'Framework failed over' } });
    previous?.end();
  }

  #greet(framework: Framework): void {
    this.#core.send(framework, {
      type: 'SUBSCRIBED',
      subscribed: {
        framework_id: { value: framework.id },
        heartbeat_interval_seconds: this.#core.settings.heartbeatIntervalMs / 1000,
        master_info: this.#core.masterInfo,
      },
    });
    this.#core.send(framework, { type: 'HEARTBEAT' });
  }

  /** Agents that run something of it keep its description up to date. */
  #tellAgents(framework: Framework): void {
    for (const agent of this.#core.state.agents.values()) {
      const isThere = [...agent.executors.values()].some((e) => e.frameworkId === framework.id);
      if (!isThere) continue;
      agent.stream?.send({ type: 'UPDATE_FRAMEWORK', framework: framework.info });
    }
  }

  #onStreamClosed(frameworkId: string, stream: EventStream<SchedulerEvent>): void {
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined || framework.stream !== stream) return;
    framework.stream = undefined;
    const offers = this.#core.state.offersOfFramework(frameworkId);
    this.#core.rescind(
      offers.map((offer) => offer.id.value),
      false,
    );
    this.#core.logger.info({ frameworkId }, 'framework disconnected');
    this.#startFailoverTimer(frameworkId, framework.info.failover_timeout ?? 0);
  }

  #startFailoverTimer(frameworkId: string, seconds: number): void {
    const timer = this.#core.clock.after(seconds * 1000, () => {
      this.#onFailoverTimeout(frameworkId).catch((error: unknown) => {
        this.#core.logger.error({ err: error, frameworkId }, 'framework could not be removed');
      });
    });
    this.#failoverTimers.set(frameworkId, timer);
  }

  async #onFailoverTimeout(frameworkId: string): Promise<void> {
    this.#core.logger.info({ frameworkId }, 'framework did not come back in time; removing it');
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined) await this.#core.registerRemoval(frameworkId);
    else await this.remove(framework);
  }
}

/** A framework without a connection. */
export function newFramework(id: string, info: FrameworkInfo, nowMs: number): Framework {
  return {
    id,
    info: { ...info, id: { value: id } },
    stream: undefined,
    recovered: true,
    suppressedRoles: new Set(),
    filters: [],
    registeredAtMs: nowMs,
    reregisteredAtMs: nowMs,
  };
}

function pad(number: number): string {
  return String(number).padStart(4, '0');
}

/** Whether the framework knows the finer states of partitions. */
export function isPartitionAware(framework: Framework): boolean {
  return hasCapability(framework.info, 'PARTITION_AWARE');
}
