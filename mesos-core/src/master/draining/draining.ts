import { MesosHttpError } from '../../http/mesos-http.ts';
import type { AgentUpdate, DrainConfig, MasterCall } from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { machineKey, unavailabilities } from '../maintenance/machines.ts';
import { type RegisteredAgent, type Registry, registeredAgent } from '../registry.ts';
import { type Agent, hasCapability, isTerminal, type KillOrder, taskKey } from '../state.ts';
import {
  deactivatedAgents,
  drainedUpdate,
  drainKillPolicy,
  durationInfo,
  withDeactivated,
  withDrained,
  withReactivated,
} from './drain-plan.ts';

type DrainingCall = Extract<
  MasterCall,
  { type: 'DRAIN_AGENT' | 'DEACTIVATE_AGENT' | 'REACTIVATE_AGENT' }
>;

/**
 * Agents that operators take out of service: a deactivated agent is not offered; one that drains is
 * deactivated and has its tasks killed, and is drained once nothing of them is left. All of it is in
 * the registry, so that it outlives masters and absences of the agent.
 */
export class Draining {
  readonly #core: MasterCore;
  readonly #markGone: (agentId: string) => Promise<unknown>;

  constructor(core: MasterCore, markGone: (agentId: string) => Promise<unknown>) {
    this.#core = core;
    this.#markGone = markGone;
    core.state.onLessOnAgent = (agentId) => this.#onLess(agentId);
    core.operations.onLessOnAgent = (agentId) => this.#onLess(agentId);
  }

  /**
   * Carries out one call; resolves when it is durable.
   * @throws MesosHttpError 400 for an unknown agent, and one that still drains.
   */
  async handle(call: DrainingCall): Promise<void> {
    switch (call.type) {
      case 'DEACTIVATE_AGENT':
        return this.#deactivate(call.deactivate_agent.agent_id.value);
      case 'REACTIVATE_AGENT':
        return this.#reactivate(call.reactivate_agent.agent_id.value);
      case 'DRAIN_AGENT': {
        const { agent_id, max_grace_period, mark_gone = false } = call.drain_agent;
        const bound = max_grace_period && durationInfo(max_grace_period);
        if (bound !== undefined && bound.nanoseconds < 0) {
          throw new MesosHttpError(400, "'max_grace_period' must not be negative");
        }
        const config = { ...(bound === undefined ? {} : { max_grace_period: bound }), mark_gone };
        return this.#drain(agent_id.value, config);
      }
    }
  }

  /** An agent is here, maybe again, and maybe under a new master: what was decided of it still holds. */
  onSubscribed(agent: Agent): void {
    const entry = this.#entryOf(agent.id);
    agent.outOfService = entry;
    if (entry?.deactivated !== true) return;
    this.#core.allocator.setAgentActive(agent.id, false);
    if (entry.drain?.state === 'DRAINING') this.#killAll(agent, entry.drain.config);
    this.#onLess(agent.id);
  }

  /** An update as the framework is told it: a drain is the reason for what it ends. */
  toTell<T extends AgentUpdate>(agent: Agent, update: T): T {
    const drain = agent.outOfService?.drain;
    if (drain === undefined) return update;
    const framework = this.#core.state.frameworks.get(update.framework_id);
    const isAware = framework !== undefined && hasCapability(framework.info, 'PARTITION_AWARE');
    return drainedUpdate(update, drain, isAware);
  }

  async #deactivate(agentId: string): Promise<void> {
    this.#knownOf(agentId);
    await this.#decide(agentId, (registry) => withDeactivated(registry, agentId, undefined));
    this.#withdraw(agentId);
  }

  async #drain(agentId: string, config: DrainConfig): Promise<void> {
    const { drain } = this.#knownOf(agentId);
    this.#checkNotPlanned(agentId);
    const startedAtMs = drain?.startedAtMs ?? this.#core.clock.nowMs();
    const begun = { state: 'DRAINING', config, startedAtMs } as const;
    await this.#decide(agentId, (registry) => withDeactivated(registry, agentId, begun));
    this.#withdraw(agentId);
    // An agent that is away is told when it is back.
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined) return;
    this.#killAll(agent, config);
    this.#onLess(agentId);
  }

  async #reactivate(agentId: string): Promise<void> {
    const entry = this.#entryOf(agentId);
    if (entry === undefined) throw new MesosHttpError(400, 'Agent is not deactivated');
    if (entry.drain?.state === 'DRAINING') {
      throw new MesosHttpError(400, 'Agent is still in the DRAINING state');
    }
    await this.#decide(agentId, (registry) => withReactivated(registry, agentId));
    this.#core.allocator.setAgentActive(agentId, true);
  }

  /** Resolves when the decision is durable; others see it then. */
  async #decide(agentId: string, change: (registry: Registry) => Registry): Promise<void> {
    await this.#core.updateRegistry(change);
    const agent = this.#core.state.agents.get(agentId);
    if (agent !== undefined) agent.outOfService = this.#entryOf(agentId);
  }

  /** Nothing of the agent is offered any more; an answer to an offer that was out comes too late. */
  #withdraw(agentId: string): void {
    this.#core.allocator.setAgentActive(agentId, false);
    const agent = this.#core.state.agents.get(agentId);
    if (agent !== undefined) this.#core.rescindOffersOf(agent);
  }

  #killAll(agent: Agent, config: DrainConfig): void {
    for (const task of agent.tasks.values()) {
      if (isTerminal(task.state)) continue;
      const order: KillOrder = {
        type: 'KILL_TASK',
        framework_id: task.framework_id.value,
        task_id: task.task_id.value,
        kill_policy: drainKillPolicy(task, config),
      };
      agent.kills.set(taskKey(order.framework_id, order.task_id), order);
      agent.stream?.send(order);
    }
  }

  /** As Mesos: an end that its framework has not acknowledged yet still counts as a task. */
  #onLess(agentId: string): void {
    const { state, operations, logger } = this.#core;
    const agent = state.agents.get(agentId);
    if (agent === undefined || agent.tasks.size > 0) return;
    if (operations.ofAgent(agentId).length > 0) return;
    if (this.#entryOf(agentId)?.drain?.state !== 'DRAINING') return;
    this.#finish(agentId).catch((error: unknown) => {
      logger.error({ err: error, agentId }, 'the end of a drain could not be registered');
    });
  }

  async #finish(agentId: string): Promise<void> {
    const saved = this.#decide(agentId, (registry) => withDrained(registry, agentId));
    const isGone = this.#entryOf(agentId)?.drain?.config.mark_gone === true;
    await saved;
    this.#core.logger.info({ agentId, isGone }, 'agent drained');
    if (isGone) await this.#markGone(agentId);
  }

  /** Maintenance has its own way to empty a machine. @throws MesosHttpError 400 */
  #checkNotPlanned(agentId: string): void {
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined) return;
    const machine = { hostname: agent.info.hostname, ip: agent.ip };
    const planned = unavailabilities(this.#core.registry.maintenance);
    if (!planned.has(machineKey(machine))) return;
    const where = `Machine ${machine.hostname} (${machine.ip})`;
    const why = `Agent ${agentId} is part of a maintenance schedule under ${where}`;
    throw new MesosHttpError(400, why);
  }

  /** Of an agent that is out of service. */
  #entryOf(agentId: string): RegisteredAgent | undefined {
    return deactivatedAgents(this.#core.registry).get(agentId);
  }

  /** @throws MesosHttpError 400 */
  #knownOf(agentId: string): RegisteredAgent {
    const entry = registeredAgent(this.#core.registry, agentId);
    if (entry === undefined || entry.state === 'gone') {
      throw new MesosHttpError(400, 'Unknown agent');
    }
    return entry;
  }
}
