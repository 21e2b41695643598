import type { Timer } from '@factory/runtime';
import type {
  Encoding,
  FrameworkInfo,
  SchedulerCallUpdateFramework,
  SchedulerEvent,
  SchedulerOfferConstraints,
} from '../protocol/index.ts';
import { tellAllocator } from './allocator-facts.ts';
import { roleProblem } from './authorization.ts';
import { encodeSchedulerEvent, type MasterCore } from './core.ts';
import { EventStream } from './event-stream.ts';
import { failoverWaitMs } from './failover-wait.ts';
import {
  frameworkInfoProblem,
  frameworkUpdateProblem,
  principalProblem,
  suppressedRolesProblem,
  withImmutableFields,
} from './framework-info.ts';
import { readOfferConstraints } from './offer-constraints.ts';
import { executorKey, type Framework, isTerminal, rolesOf } from './state.ts';
import { frameworkAdded, frameworkUpdated } from './views/changes.ts';

/** So much of a framework's name is in the registry. */
const REGISTERED_NAME_MAX = 255;

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
      this.#awaitReturn(id, failoverTimeoutSeconds);
      this.#core.logger.info({ frameworkId: id, name }, 'waiting for a framework to come back');
    }
  }

  close(): void {
    for (const timer of this.#failoverTimers.values()) timer.cancel();
    for (const framework of this.#core.state.frameworks.values()) framework.stream?.end();
  }

  /**
   * Takes up a framework that an agent still runs something of, if it was not known yet.
   * @returns false when the framework was removed: the agent should end what it has of it.
   */
  adopt(info: FrameworkInfo): boolean {
    const id = info.id?.value ?? '';
    const { state, registry, clock } = this.#core;
    if (registry.removedFrameworkIds.includes(id)) return false;
    if (state.frameworks.has(id)) return true;
    const framework = newFramework(id, info, clock.nowMs());
    state.frameworks.set(id, framework);
    // It is offered nothing yet, but what it holds is its group's.
    tellAllocator(this.#core, framework);
    if (!this.#failoverTimers.has(id)) this.#awaitReturn(id, info.failover_timeout ?? 0);
    return true;
  }

  /**
   * Subscribes a scheduler; the stream is its answer. Problems are told on the stream, as Mesos
   * does, which then ends.
   */
  async subscribe(
    info: FrameworkInfo,
    suppressedRoles: readonly string[],
    encoding: Encoding,
    offerConstraints?: SchedulerOfferConstraints,
  ): Promise<EventStream<SchedulerEvent>> {
    const constraints = readOfferConstraints(info, offerConstraints);
    const problem = this.#problem(info, suppressedRoles) ?? constraints.problem;
    if (problem !== undefined) return this.#refusal(problem, encoding);
    const isNew = !this.#core.state.frameworks.has(info.id?.value ?? '');
    const framework = await this.#admit(info);
    if (this.#core.state.frameworks.get(framework.id) !== framework) {
      return this.#refusal('Framework has been removed', encoding);
    }
    const stream = this.#open(framework.id, encoding);
    this.#failOver(framework);
    framework.stream = stream;
    framework.recovered = false;
    framework.info = { ...withImmutableFields(framework.info, info), id: { value: framework.id } };
    framework.reregisteredAtMs = this.#core.clock.nowMs();
    setRoles(framework.suppressedRoles, suppressedRoles);
    framework.offerConstraints = constraints.compiled;
    tellAllocator(this.#core, framework);
    this.#core.allocator.forgetRefusals(framework.id, rolesOf(framework.info));
    this.#cancelFailoverTimer(framework.id);
    this.#greet(framework);
    this.#tellAgents(framework);
    const change = isNew ? frameworkAdded : frameworkUpdated;
    this.#core.events.emit(() => change(this.#core, framework));
    this.#core.metrics.onSubscribe(framework.id, isNew);
    return stream;
  }

  /** Takes a changed description. @returns what is wrong with it, or `undefined`. */
  async update(
    framework: Framework,
    call: SchedulerCallUpdateFramework,
  ): Promise<string | undefined> {
    const { framework_info: info, suppressed_roles = [] } = call;
    if (info.id?.value !== framework.id) {
      const problem = "'framework_id' differs from 'update_framework.framework_info.id'";
      return `Failed to validate scheduler::Call: ${problem}`;
    }
    const constraints = readOfferConstraints(info, call.offer_constraints);
    const problem =
      frameworkInfoProblem(info) ??
      frameworkUpdateProblem(framework.info, info) ??
      suppressedRolesProblem(info, suppressed_roles) ??
      roleProblem(this.#core.authorizer, info) ??
      constraints.problem;
    if (problem !== undefined) return problem;
    await this.#register(framework.id, info);
    framework.info = info;
    setRoles(framework.suppressedRoles, suppressed_roles);
    framework.offerConstraints = constraints.compiled;
    const roles = new Set(rolesOf(info));
    const lost = this.#core.state
      .offersOfFramework(framework.id)
      .filter((offer) => !roles.has(offer.allocation_info?.role ?? '*'));
    this.#core.rescind(
      lost.map((offer) => offer.id.value),
      true,
    );
    tellAllocator(this.#core, framework);
    this.#tellAgents(framework);
    this.#core.events.emit(() => frameworkUpdated(this.#core, framework));
    return undefined;
  }

  /** Ends a framework for good: its executors are shut down, its id is not accepted again. */
  async remove(framework: Framework): Promise<void> {
    const { state } = this.#core;
    const offers = state.offersOfFramework(framework.id).map((offer) => offer.id.value);
    this.#core.rescind(offers, false);
    this.#core.inverseOffers.forgetFramework(framework.id);
    this.#cancelFailoverTimer(framework.id);
    const { stream } = framework;
    framework.stream = undefined;
    framework.unregisteredAtMs = this.#core.clock.nowMs();
    stream?.end();
    for (const task of state.tasksOf(framework.id)) {
      const agent = state.agents.get(task.agent_id.value);
      const last = isTerminal(task.state) ? task.state : 'TASK_KILLED';
      if (agent !== undefined) state.removeTask(agent, { ...task, state: last });
    }
    for (const agent of state.agents.values()) {
      agent.stream?.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: framework.id });
      for (const { frameworkId, info } of [...agent.executors.values()]) {
        if (frameworkId !== framework.id) continue;
        state.removeExecutor(agent, framework.id, info.executor_id.value);
        agent.exitedContainers.delete(executorKey(framework.id, info.executor_id.value));
      }
    }
    state.removeFramework(framework);
    this.#core.metrics.forgetFramework(framework.id);
    this.#core.events.emit(() => ({
      type: 'FRAMEWORK_REMOVED',
      framework_removed: { framework_info: framework.info },
    }));
    await this.#core.registerRemoval(framework.id);
  }

  #problem(info: FrameworkInfo, suppressedRoles: readonly string[]): string | undefined {
    const problem =
      frameworkInfoProblem(info) ??
      suppressedRolesProblem(info, suppressedRoles) ??
      roleProblem(this.#core.authorizer, info);
    if (problem !== undefined) return problem;
    const id = info.id?.value ?? '';
    if (this.#core.registry.removedFrameworkIds.includes(id)) return 'Framework has been removed';
    const known = this.#core.state.frameworks.get(id);
    return known === undefined || known.info.principal === info.principal
      ? undefined
      : principalProblem;
  }

  #refusal(message: string, encoding: Encoding): EventStream<SchedulerEvent> {
    const stream = this.#newStream(encoding, () => undefined);
    stream.send({ type: 'ERROR', error: { message } });
    stream.end();
    return stream;
  }

  /** Finds the framework or makes it; a new id is durable before it is given out. */
  async #admit(info: FrameworkInfo): Promise<Framework> {
    const { state, clock } = this.#core;
    const id = info.id?.value || this.#newId();
    const known = state.frameworks.get(id);
    const framework = known ?? newFramework(id, info, clock.nowMs());
    state.frameworks.set(id, framework);
    try {
      await this.#register(id, info);
    } catch (error) {
      if (known === undefined) state.frameworks.delete(id);
      throw error;
    }
    return framework;
  }

  /** The number is used up in memory at once, and durable with the framework's own entry. */
  #newId(): string {
    const { registry } = this.#core;
    const number = registry.nextFrameworkNumber;
    this.#core.registry = { ...registry, nextFrameworkNumber: number + 1 };
    return `${registry.masterId}-${String(number).padStart(4, '0')}`;
  }

  async #register(id: string, info: FrameworkInfo): Promise<void> {
    // A name is for people; the registry has to fit where it is kept (1 MiB in ZooKeeper).
    const name = info.name.slice(0, REGISTERED_NAME_MAX);
    const entry = { id, name, failoverTimeoutSeconds: info.failover_timeout ?? 0 };
    const known = this.#core.registry.frameworks.find((each) => each.id === id);
    const isSame =
      known?.name === entry.name && known.failoverTimeoutSeconds === entry.failoverTimeoutSeconds;
    if (isSame) return;
    await this.#core.updateRegistry((registry) => ({
      ...registry,
      frameworks: [...registry.frameworks.filter((each) => each.id !== id), entry],
    }));
  }

  #open(frameworkId: string, encoding: Encoding): EventStream<SchedulerEvent> {
    const stream = this.#newStream(
      encoding,
      () => this.#onStreamClosed(frameworkId, stream),
      (event) => this.#core.metrics.onEvent(frameworkId, event),
    );
    return stream;
  }

  #newStream(
    encoding: Encoding,
    onClosed: () => void,
    onSent: (event: SchedulerEvent) => void = () => undefined,
  ): EventStream<SchedulerEvent> {
    const encode = encodeSchedulerEvent(encoding);
    return new EventStream<SchedulerEvent>({
      id: this.#core.newStreamId(),
      clock: this.#core.clock,
      encode: (event) => {
        onSent(event);
        return encode(event);
      },
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: this.#core.settings.heartbeatIntervalMs,
      onClosed,
    });
  }

  /** The scheduler that was connected before, if any, loses its offers, is told, and let go. */
  #failOver(framework: Framework): void {
    const { stream } = framework;
    const offers = this.#core.state.offersOfFramework(framework.id);
    this.#core.rescind(
      offers.map((offer) => offer.id.value),
      true,
    );
    this.#core.inverseOffers.forgetFramework(framework.id);
    stream?.send({ type: 'ERROR', error: { message: 'Framework failed over' } });
    stream?.end();
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

  /** Agents that have something of it keep its description up to date. */
  #tellAgents(framework: Framework): void {
    const { state } = this.#core;
    const withTasks = new Set(state.tasksOf(framework.id).map((task) => task.agent_id.value));
    for (const agent of state.agents.values()) {
      const isThere =
        withTasks.has(agent.id) ||
        [...agent.executors.values()].some((each) => each.frameworkId === framework.id);
      if (isThere) agent.stream?.send({ type: 'UPDATE_FRAMEWORK', framework: framework.info });
    }
  }

  #onStreamClosed(frameworkId: string, stream: EventStream<SchedulerEvent>): void {
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined || framework.stream !== stream) return;
    framework.stream = undefined;
    tellAllocator(this.#core, framework);
    const offers = this.#core.state.offersOfFramework(frameworkId);
    this.#core.rescind(
      offers.map((offer) => offer.id.value),
      false,
    );
    this.#core.inverseOffers.forgetFramework(frameworkId);
    this.#core.logger.info({ frameworkId }, 'framework disconnected');
    this.#startFailoverTimer(frameworkId, (framework.info.failover_timeout ?? 0) * 1000);
  }

  /** A framework of an earlier master. */
  #awaitReturn(frameworkId: string, failoverTimeoutSeconds: number): void {
    const waitMs = failoverWaitMs(failoverTimeoutSeconds, this.#core.settings);
    this.#startFailoverTimer(frameworkId, waitMs);
  }

  #startFailoverTimer(frameworkId: string, waitMs: number): void {
    this.#cancelFailoverTimer(frameworkId);
    const timer = this.#core.clock.after(waitMs, () => {
      this.#failoverTimers.delete(frameworkId);
      this.#onFailoverTimeout(frameworkId).catch((error: unknown) => {
        this.#core.logger.error({ err: error, frameworkId }, 'framework could not be removed');
      });
    });
    this.#failoverTimers.set(frameworkId, timer);
  }

  #cancelFailoverTimer(frameworkId: string): void {
    this.#failoverTimers.get(frameworkId)?.cancel();
    this.#failoverTimers.delete(frameworkId);
  }

  async #onFailoverTimeout(frameworkId: string): Promise<void> {
    this.#core.logger.info({ frameworkId }, 'framework did not come back in time; removing it');
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined) await this.#core.registerRemoval(frameworkId);
    else await this.remove(framework);
  }
}

/** A framework without a connection. */
function newFramework(id: string, info: FrameworkInfo, nowMs: number): Framework {
  return {
    id,
    info: { ...info, id: { value: id } },
    stream: undefined,
    recovered: true,
    suppressedRoles: new Set(),
    offerConstraints: undefined,
    registeredAtMs: nowMs,
    reregisteredAtMs: nowMs,
    unregisteredAtMs: undefined,
  };
}

function setRoles(set: Set<string>, roles: readonly string[]): void {
  set.clear();
  for (const role of roles) set.add(role);
}
