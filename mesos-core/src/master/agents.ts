import { MesosHttpError } from '../http/mesos-http.ts';
import {
  type AgentCall,
  type AgentEvent,
  type AgentInfo,
  type AgentSubscribe,
  type AgentUpdate,
  CodecError,
  idProblem,
} from '../protocol/index.ts';
import { AGENT_REMOVED, dropAgent, removeAgent } from './agent-removal.ts';
import { noteIfShrunk, updateAgent } from './agent-update.ts';
import { agentFacts } from './allocator-facts.ts';
import type { MasterCore } from './core.ts';
import { Draining } from './draining/draining.ts';
import { EventStream } from './event-stream.ts';
import { isOutdatedExit, rememberExit } from './executor-exits.ts';
import type { Frameworks } from './frameworks.ts';
import { updatedTask } from './kept-task.ts';
import { Maintenance } from './maintenance/maintenance.ts';
import { onOperationUpdate } from './operations/feedback.ts';
import { type RegisteredAgent, registeredAgent, withAgents } from './registry.ts';
import { RemovalLimit } from './removal-limit.ts';
import { resubscribeSpreadMs } from './resubscribe-spread.ts';
import { type Agent, executorKey, isTerminal, taskKey } from './state.ts';
import { takeOver } from './takeover.ts';
import { endUnreachableTasks, type TaskEnd } from './task-end.ts';
import { agentAdded } from './views/changes.ts';
import { endUncheckpointed } from './without-checkpoint.ts';

type Call<T extends AgentCall['type']> = Extract<AgentCall, { type: T }>;

const AGENT_GONE: TaskEnd = {
  state: 'TASK_GONE_BY_OPERATOR',
  reason: 'REASON_AGENT_REMOVED_BY_OPERATOR',
  message: 'Agent has been marked gone',
};
const WHY_DOWN = "Operator initiated 'Machine DOWN'";

/** Comings, goings and words of agents (protocol/agent-protocol.ts). */
export class Agents {
  readonly #core: MasterCore;
  readonly #frameworks: Frameworks;
  readonly #removals: RemovalLimit;
  readonly draining: Draining;
  readonly maintenance: Maintenance;

  constructor(core: MasterCore, frameworks: Frameworks) {
    this.#core = core;
    this.#frameworks = frameworks;
    this.#removals = new RemovalLimit(core.clock, core.settings.agentRemovalRate);
    this.draining = new Draining(core, (agentId) => this.markGone(agentId));
    this.maintenance = new Maintenance(core, ({ id, info }) =>
      this.markGone(id, {
        ...AGENT_REMOVED,
        message: `Agent ${info.hostname} removed: ${WHY_DOWN}`,
      }),
    );
  }

  close(): void {
    for (const agent of this.#core.state.agents.values()) agent.stream?.end();
  }

  /**
   * Subscribes an agent, new or known; the stream is its answer.
   * @param ip where it calls from.
   * @throws CodecError when its id can't be one.
   */
  async subscribe(subscribe: AgentSubscribe, ip: string): Promise<EventStream<AgentEvent>> {
    const machine = { hostname: subscribe.agent_info.hostname, ip };
    if (this.maintenance.isDown(machine)) return this.#refuseOnDownMachine(subscribe);
    const id = await this.#admit(subscribe);
    if (id === undefined) return this.#shutDown('This agent was marked as gone; register anew.');
    // It may have been taken down while the registry was written.
    if (this.maintenance.isDown(machine)) return this.#refuseOnDownMachine(subscribe);
    const { settings, state, clock, logger } = this.#core;
    const stream: EventStream<AgentEvent> = this.#newStream(() => this.#onStreamClosed(id, stream));
    const agent = state.agents.get(id) ?? this.#newAgent(id, subscribe.agent_info);
    agent.stream?.end();
    agent.stream = stream;
    agent.lastHeardMs = clock.monotonicMs();
    agent.reregisteredAtMs = clock.nowMs();
    agent.info = { ...subscribe.agent_info, id: subscribe.agent_info.id ?? { value: id } };
    agent.ip = ip;
    agent.scheme = subscribe.scheme ?? 'http';
    state.setTotal(agent, subscribe.total_resources);
    agent.version = subscribe.version;
    agent.capabilities = subscribe.capabilities;
    const isNew = !state.agents.has(id);
    state.agents.set(id, agent);
    this.#core.allocator.putAgent(id, agentFacts(agent, this.#core.masterInfo.domain));
    const heartbeat_interval_seconds = settings.agentPingTimeoutMs / 1000;
    const resubscribe_spread_ms = resubscribeSpreadMs(state.agents.size);
    stream.send({
      ...{ type: 'SUBSCRIBED', agent_id: id, heartbeat_interval_seconds },
      ...(resubscribe_spread_ms === 0 ? {} : { resubscribe_spread_ms }),
    });
    logger.info({ agentId: id, hostname: agent.info.hostname }, 'agent subscribed');
    this.#core.metrics.onAgentSubscribe(subscribe.agent_info.id === undefined);
    takeOver(this.#core, agent, subscribe, (info) => this.#frameworks.adopt(info));
    this.draining.onSubscribed(agent);
    this.maintenance.onSubscribed(agent);
    if (isNew) this.#core.events.emit(() => agentAdded(this.#core, agent));
    noteIfShrunk(agent);
    return stream;
  }

  /** Any other call. @returns whether the agent is known; an unknown one has to subscribe first. */
  handle(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): boolean {
    const agent = this.#core.state.agents.get(call.agent_id);
    if (agent === undefined) return false;
    agent.lastHeardMs = this.#core.clock.monotonicMs();
    this.#core.metrics.onAgentCall(call);
    switch (call.type) {
      case 'HEARTBEAT':
        break;
      case 'UNREGISTER':
        this.#core.metrics.count('slave_removals/reason_unregistered');
        void removeAgent(this.#core, agent, 'the agent unregistered');
        break;
      case 'UPDATE_AGENT':
        updateAgent(this.#core, agent, call.agent_info);
        break;
      case 'UPDATE':
        this.#onUpdate(agent, call);
        break;
      case 'UPDATES':
        for (const update of call.updates) this.#onUpdate(agent, update);
        break;
      case 'MESSAGE':
        this.#onMessage(agent, call);
        break;
      case 'EXECUTOR_EXITED':
        this.#onExecutorExited(agent, call);
        break;
      case 'UPDATE_OPERATION':
        onOperationUpdate(this.#core, agent, call);
        break;
    }
    return true;
  }

  /** Marks agents that have been silent for too long, or did not come back, as unreachable. */
  async sweep(): Promise<void> {
    const silent = [...this.#core.state.agents.values()]
      .filter((agent) => this.#isSilent(agent))
      .sort((a, b) => a.lastHeardMs - b.lastHeardMs);
    const absent = this.#absent();
    const permits = this.#removals.take(silent.length + absent.length);
    const removed = silent.slice(0, permits);
    await Promise.all(
      removed.map((agent) => this.#markUnreachable(agent, 'health check timed out')),
    );
    // One of them may have come back meanwhile.
    const given = absent
      .slice(0, permits - removed.length)
      .filter(({ id }) => !this.#core.state.agents.has(id));
    if (given.length > 0) await this.#register(given, 'unreachable');
    this.#core.metrics.count('recovery_slave_removals', given.length);
  }

  /** Known agents that did not come back in time after a failover of the master. */
  #absent(): readonly RegisteredAgent[] {
    const { state, clock, settings, startedMonotonicMs, registry, recovery } = this.#core;
    if (clock.monotonicMs() - startedMonotonicMs < settings.agentReregisterTimeoutMs) return [];
    const absent = registry.agents.filter(
      (each) => each.state === 'admitted' && !state.agents.has(each.id),
    );
    return recovery.mayGiveUp(absent.length) ? absent : [];
  }

  /** An agent that still has something ends it; one that is empty tries again until the machine is up. */
  #refuseOnDownMachine({ agent_info }: AgentSubscribe): EventStream<AgentEvent> {
    if (agent_info.id !== undefined) return this.#shutDown('Machine is `DOWN`');
    throw new MesosHttpError(403, 'Machine is `DOWN`');
  }

  #shutDown(message: string): EventStream<AgentEvent> {
    const stream = this.#newStream(() => undefined);
    stream.send({ type: 'SHUTDOWN', message });
    stream.end();
    return stream;
  }

  /**
   * The agent will never come back: an operator says so.
   * @param end what its frameworks are told of its tasks.
   * @returns whether it is known.
   */
  async markGone(agentId: string, end: TaskEnd = AGENT_GONE): Promise<boolean> {
    const registered = registeredAgent(this.#core.registry, agentId);
    if (registered === undefined) return false;
    if (registered.state === 'gone') return true;
    await this.#register([registered], 'gone');
    endUnreachableTasks(this.#core, agentId, end);
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined) return true;
    agent.stream?.send({ type: 'SHUTDOWN', message: end.message });
    agent.stream?.end();
    dropAgent(this.#core, agent, end);
    return true;
  }

  /** The agent's id, durable before it is used; `undefined` when it may not come back. */
  async #admit({ agent_info }: AgentSubscribe): Promise<string | undefined> {
    const given = agent_info.id?.value;
    if (given === undefined) return this.#admitNew(agent_info);
    const problem = idProblem(given);
    if (problem !== undefined) throw new CodecError(`Invalid agent id: ${problem}`);
    const registered = registeredAgent(this.#core.registry, given);
    if (registered?.state === 'gone') return undefined;
    if (registered?.state !== 'admitted') {
      await this.#register([{ id: given, hostname: agent_info.hostname }], 'admitted');
    }
    return given;
  }

  async #admitNew({ hostname, port }: AgentInfo): Promise<string> {
    const { registry, state } = this.#core;
    const id = `${registry.masterId}-S${registry.nextAgentNumber}`;
    this.#core.registry = { ...registry, nextAgentNumber: registry.nextAgentNumber + 1 };
    await this.#register([{ id, hostname }], 'admitted');
    // It took the place of one that has lost its memory, which will not come back.
    const former = [...state.agents.values()].filter(
      ({ info, stream }) =>
        stream === undefined && info.hostname === hostname && info.port === port,
    );
    this.#core.metrics.count('slave_removals/reason_registered', former.length);
    const why = 'a new agent registered at the same address';
    await Promise.all(former.map((agent) => removeAgent(this.#core, agent, why)));
    return id;
  }

  #register(
    agents: readonly Pick<RegisteredAgent, 'id' | 'hostname'>[],
    state: RegisteredAgent['state'],
  ): Promise<void> {
    const sinceMs = this.#core.clock.nowMs();
    const entries = agents.map(({ id, hostname }) => ({ id, hostname, state, sinceMs }));
    const { settings } = this.#core;
    return this.#core.updateRegistry((registry) =>
      withAgents(registry, entries, sinceMs, settings),
    );
  }

  #newStream(onClosed: () => void): EventStream<AgentEvent> {
    return new EventStream<AgentEvent>({
      id: this.#core.newStreamId(),
      clock: this.#core.clock,
      encode: (event) => Buffer.from(JSON.stringify(event)),
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: this.#core.settings.agentPingTimeoutMs,
      onClosed,
    });
  }

  #newAgent(id: string, info: AgentInfo): Agent {
    const nowMs = this.#core.clock.nowMs();
    return {
      id,
      info,
      ip: '',
      scheme: 'http',
      version: '',
      capabilities: [],
      total: [],
      used: [],
      stream: undefined,
      lastHeardMs: this.#core.clock.monotonicMs(),
      tasks: new Map(),
      executors: new Map(),
      kills: new Map(),
      exitedContainers: new Map(),
      disowned: new Set(),
      isShrunk: false,
      registeredAtMs: nowMs,
      reregisteredAtMs: nowMs,
    };
  }

  #onUpdate(agent: Agent, update: AgentUpdate): void {
    const { state } = this.#core;
    const { framework_id, status, latest_state } = this.draining.toTell(agent, update);
    const task = agent.tasks.get(taskKey(framework_id, status.task_id.value));
    if (task !== undefined) {
      state.putTask(agent, updatedTask(task, status, latest_state));
    }
    const isFrameworkKnown = state.frameworks.has(framework_id);
    this.#core.metrics.countChecked('status_updates', isFrameworkKnown);
    this.#core.tellTaskUpdate(framework_id, status, latest_state);
  }

  #onMessage(agent: Agent, { framework_id, executor_id, data }: Call<'MESSAGE'>): void {
    const framework = this.#core.state.frameworks.get(framework_id);
    this.#core.metrics.countChecked('executor_to_framework_messages', framework !== undefined);
    this.#core.send(framework, {
      type: 'MESSAGE',
      message: { agent_id: { value: agent.id }, executor_id: { value: executor_id }, data },
    });
  }

  #onExecutorExited(agent: Agent, call: Call<'EXECUTOR_EXITED'>): void {
    const { framework_id, executor_id, status } = call;
    const { state } = this.#core;
    if (isOutdatedExit(agent, call)) return;
    rememberExit(agent, executorKey(framework_id, executor_id), call.container_id);
    if (!state.removeExecutor(agent, framework_id, executor_id)) return;
    this.#core.send(state.frameworks.get(framework_id), {
      type: 'FAILURE',
      failure: { agent_id: { value: agent.id }, executor_id: { value: executor_id }, status },
    });
  }

  /** The connection broke: nothing is offered of the agent until it is back. */
  #onStreamClosed(agentId: string, stream: EventStream<AgentEvent>): void {
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined || agent.stream !== stream) return;
    agent.stream = undefined;
    this.#core.allocator.setAgentConnected(agentId, false);
    this.#core.logger.info({ agentId }, 'agent disconnected');
    this.#core.rescindOffersOf(agent);
    endUncheckpointed(this.#core, agent);
  }

  #isSilent(agent: Agent): boolean {
    const { agentPingTimeoutMs, maxAgentPingTimeouts } = this.#core.settings;
    const silentMs = this.#core.clock.monotonicMs() - agent.lastHeardMs;
    return silentMs > agentPingTimeoutMs * maxAgentPingTimeouts;
  }

  async #markUnreachable(agent: Agent, why: string): Promise<void> {
    const { hostname } = agent.info;
    const { lastHeardMs } = agent;
    this.#core.logger.warn({ agentId: agent.id, why }, 'agent is unreachable');
    this.#core.metrics.count('slave_unreachable_scheduled');
    const sinceMs = this.#core.clock.nowMs();
    await this.#register([{ id: agent.id, hostname }], 'unreachable');
    if (this.#core.state.agents.get(agent.id) !== agent) return;
    if (agent.lastHeardMs !== lastHeardMs) {
      // It has spoken while the registry was written.
      await this.#register([{ id: agent.id, hostname }], 'admitted');
      this.#core.metrics.count('slave_unreachable_canceled');
      return;
    }
    agent.stream?.end();
    for (const task of agent.tasks.values()) {
      if (isTerminal(task.state)) continue;
      const framework = this.#core.state.frameworks.get(task.framework_id.value);
      const state = this.#core.lostState(framework?.info, 'TASK_UNREACHABLE');
      this.#core.state.putUnreachableTask({ ...task, state });
    }
    dropAgent(this.#core, agent, {
      state: 'TASK_UNREACHABLE',
      reason: 'REASON_AGENT_REMOVED',
      message: `Agent ${hostname} is unreachable: ${why}`,
      unreachable_time: { nanoseconds: sinceMs * 1e6 },
    });
  }
}
