import {
  type AgentCall,
  type AgentEvent,
  type AgentSubscribe,
  type Task,
  unallocateResources,
} from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type EventStream, openEventStream } from './event-stream.ts';
import { newFramework } from './frameworks.ts';
import { type Agent, executorKey, isTerminal, taskKey } from './state.ts';

type Call<T extends AgentCall['type']> = Extract<AgentCall, { type: T }>;

/** Comings, goings and words of agents (protocol/agent-protocol.ts). */
export class Agents {
  readonly #core: MasterCore;

  constructor(core: MasterCore) {
    this.#core = core;
  }

  close(): void {
    for (const agent of this.#core.state.agents.values()) agent.stream?.end();
  }

  /** Subscribes an agent, new or known; the stream is its answer. */
  async subscribe(subscribe: AgentSubscribe): Promise<EventStream<AgentEvent>> {
    const id = await this.#admit(subscribe);
    const { settings, state, clock } = this.#core;
    if (id === undefined) {
      const stream = this.#newStream(() => undefined);
      stream.send({ type: 'SHUTDOWN', message: 'This agent was marked as gone; register anew.' });
      stream.end();
      return stream;
    }
    const stream: EventStream<AgentEvent> = this.#newStream(() => this.#onStreamClosed(id, stream));
    const known = state.agents.get(id);
    const agent = known ?? this.#newAgent(id, subscribe);
    known?.stream?.end();
    agent.stream = stream;
    agent.lastHeardMs = clock.monotonicMs();
    agent.reregisteredAtMs = clock.nowMs();
    agent.info = { ...subscribe.agent_info, id: { value: id } };
    agent.total = subscribe.total_resources;
    agent.version = subscribe.version;
    agent.capabilities = subscribe.capabilities;
    state.agents.set(id, agent);
    const heartbeat_interval_seconds = settings.agentPingTimeoutMs / 1000;
    stream.send({ type: 'SUBSCRIBED', agent_id: id, heartbeat_interval_seconds });
    this.#takeOver(agent, subscribe);
    this.#core.requestAllocation();
    return stream;
  }

  /** Any other call. @returns whether the agent is known; an unknown one has to subscribe first. */
  handle(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): boolean {
    const agent = this.#core.state.agents.get(call.agent_id);
    if (agent === undefined) return false;
    agent.lastHeardMs = this.#core.clock.monotonicMs();
    switch (call.type) {
      case 'HEARTBEAT':
        break;
      case 'UPDATE':
        this.#onUpdate(agent, call);
        break;
      case 'MESSAGE':
        this.#onMessage(agent, call);
        break;
      case 'EXECUTOR_EXITED':
        this.#onExecutorExited(agent, call);
        break;
    }
    return true;
  }

  /** Marks agents that have been silent for too long as unreachable. */
  async sweep(): Promise<void> {
    const { clock, settings, state } = this.#core;
    const limitMs = settings.agentPingTimeoutMs * settings.maxAgentPingTimeouts;
    const nowMs = clock.monotonicMs();
    const silent = [...state.agents.values()].filter((each) => nowMs - each.lastHeardMs > limitMs);
    for (const agent of silent) await this.#markUnreachable(agent);
    await this.#giveUpOnAbsent();
  }

  /** An operator says that the agent will never come back. */
  async markGone(agentId: string): Promise<boolean> {
    const registered = this.#core.registry.agents.find(({ id }) => id === agentId);
    if (registered === undefined) return false;
    await this.#setRegistered(agentId, registered.hostname, 'gone');
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined) return true;
    agent.stream?.send({ type: 'SHUTDOWN', message: 'This agent was marked as gone.' });
    agent.stream?.end();
    this.#drop(agent, 'TASK_GONE_BY_OPERATOR', 'Agent has been marked gone');
    return true;
  }

  /** The agent's id, durable before it is used; `undefined` when it may not come back. */
  async #admit({ agent_info }: AgentSubscribe): Promise<string | undefined> {
    const given = agent_info.id?.value;
    const { registry } = this.#core;
    if (given !== undefined) {
      const registered = registry.agents.find(({ id }) => id === given);
      if (registered?.state === 'gone') return undefined;
      if (registered?.state !== 'admitted') {
        await this.#setRegistered(given, agent_info.hostname, 'admitted');
      }
      return given;
    }
    const id = `${registry.masterId}-S${registry.nextAgentNumber}`;
    await this.#core.updateRegistry((current) => ({
      ...current,
      nextAgentNumber: registry.nextAgentNumber + 1,
    }));
    await this.#setRegistered(id, agent_info.hostname, 'admitted');
    return id;
  }

  async #setRegistered(
    id: string,
    hostname: string,
    state: 'admitted' | 'unreachable' | 'gone',
  ): Promise<void> {
    const entry = { id, hostname, state, sinceMs: this.#core.clock.nowMs() };
    await this.#core.updateRegistry((registry) => ({
      ...registry,
      agents: [...registry.agents.filter((each) => each.id !== id), entry],
    }));
  }

  #newStream(onClosed: () => void): EventStream<AgentEvent> {
    return openEventStream<AgentEvent>({
      id: this.#core.newStreamId(),
      clock: this.#core.clock,
      encode: (event) => Buffer.from(JSON.stringify(event)),
      heartbeat: { type: 'HEARTBEAT' },
      heartbeatIntervalMs: this.#core.settings.agentPingTimeoutMs,
      onClosed,
    });
  }

  #newAgent(
    id: string,
    { agent_info, version, capabilities, total_resources }: AgentSubscribe,
  ): Agent {
    const nowMs = this.#core.clock.nowMs();
    return {
      id,
      info: agent_info,
      version,
      capabilities,
      total: total_resources,
      used: [],
      stream: undefined,
      lastHeardMs: this.#core.clock.monotonicMs(),
      tasks: new Map(),
      executors: new Map(),
      registeredAtMs: nowMs,
      reregisteredAtMs: nowMs,
    };
  }

  /** Settles the difference between what the agent says and what the master knew. */
  #takeOver(agent: Agent, subscribe: AgentSubscribe): void {
    const { state, clock } = this.#core;
    for (const info of subscribe.frameworks) {
      const id = info.id?.value ?? '';
      if (this.#core.registry.removedFrameworkIds.includes(id)) {
        agent.stream?.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: id });
      } else if (!state.frameworks.has(id)) {
        state.frameworks.set(id, newFramework(id, info, clock.nowMs()));
      }
    }
    this.#takeOverExecutors(agent, subscribe);
    const reported = new Set(
      subscribe.tasks.map((task) => taskKey(task.framework_id.value, task.task_id.value)),
    );
    for (const task of [...agent.tasks.values()]) {
      const isKnownThere = reported.has(taskKey(task.framework_id.value, task.task_id.value));
      if (!isKnownThere) this.#dropUnknownThere(agent, task);
    }
    for (const task of subscribe.tasks) this.#takeOverTask(agent, task);
    // Resources may have changed hands: offers made before can't be trusted.
    this.#core.rescindOffersOf(agent);
  }

  #takeOverExecutors(agent: Agent, subscribe: AgentSubscribe): void {
    const { state } = this.#core;
    const isRemoved = (id: string): boolean => this.#core.registry.removedFrameworkIds.includes(id);
    const reported = new Set(
      subscribe.executors.map((e) => executorKey(e.framework_id?.value ?? '', e.executor_id.value)),
    );
    for (const [key, { frameworkId, info }] of [...agent.executors]) {
      if (!reported.has(key)) state.removeExecutor(agent, frameworkId, info.executor_id.value);
    }
    for (const info of subscribe.executors) {
      const frameworkId = info.framework_id?.value ?? '';
      if (!isRemoved(frameworkId)) state.putExecutor(agent, frameworkId, info);
    }
  }

  #takeOverTask(agent: Agent, task: Task): void {
    const { state } = this.#core;
    const frameworkId = task.framework_id.value;
    if (this.#core.registry.removedFrameworkIds.includes(frameworkId)) return;
    const key = taskKey(frameworkId, task.task_id.value);
    state.putTask(agent, task);
    if (!state.unreachableTasks.delete(key)) return;
    const status = this.#core.masterStatus(
      task.task_id.value,
      agent.id,
      task.status_update_state ?? task.state,
      'REASON_AGENT_REREGISTERED',
      'The agent is back',
    );
    this.#core.sendStatus(state.frameworks.get(frameworkId), status);
  }

  /** A launch that was lost on its way, or a task that the agent lost. */
  #dropUnknownThere(agent: Agent, task: Task): void {
    const framework = this.#core.state.frameworks.get(task.framework_id.value);
    const wasOver = isTerminal(task.state);
    const state = this.#core.lostState(framework?.info, 'TASK_DROPPED');
    this.#core.state.removeTask(agent, { ...task, state: wasOver ? task.state : state });
    if (wasOver) return;
    const status = this.#core.masterStatus(
      task.task_id.value,
      agent.id,
      state,
      'REASON_RECONCILIATION',
      'Task is unknown to the agent',
    );
    this.#core.sendStatus(framework, status);
  }

  #onUpdate(agent: Agent, { framework_id, status, latest_state }: Call<'UPDATE'>): void {
    const { state } = this.#core;
    const task = agent.tasks.get(taskKey(framework_id, status.task_id.value));
    if (task !== undefined) {
      state.putTask(agent, {
        ...task,
        // Once over, a task stays over: a late update of an earlier state changes nothing.
        state: isTerminal(task.state) ? task.state : latest_state,
        statuses: [...(task.statuses ?? []).slice(-9), status],
        status_update_state: status.state,
        ...(status.uuid === undefined ? {} : { status_update_uuid: status.uuid }),
      });
      if (isTerminal(latest_state)) this.#core.requestAllocation();
    }
    this.#core.sendStatus(state.frameworks.get(framework_id), status);
  }

  #onMessage(agent: Agent, { framework_id, executor_id, data }: Call<'MESSAGE'>): void {
    this.#core.send(this.#core.state.frameworks.get(framework_id), {
      type: 'MESSAGE',
      message: { agent_id: { value: agent.id }, executor_id: { value: executor_id }, data },
    });
  }

  #onExecutorExited(agent: Agent, call: Call<'EXECUTOR_EXITED'>): void {
    const { framework_id, executor_id, status } = call;
    const { state } = this.#core;
    if (!state.removeExecutor(agent, framework_id, executor_id)) return;
    this.#core.send(state.frameworks.get(framework_id), {
      type: 'FAILURE',
      failure: { agent_id: { value: agent.id }, executor_id: { value: executor_id }, status },
    });
    this.#core.requestAllocation();
  }

  /** The connection broke: nothing is offered of the agent until it is back. */
  #onStreamClosed(agentId: string, stream: EventStream<AgentEvent>): void {
    const agent = this.#core.state.agents.get(agentId);
    if (agent === undefined || agent.stream !== stream) return;
    agent.stream = undefined;
    this.#core.logger.info({ agentId }, 'agent disconnected');
    this.#core.rescindOffersOf(agent);
  }

  async #markUnreachable(agent: Agent): Promise<void> {
    this.#core.logger.warn({ agentId: agent.id }, 'agent is unreachable');
    await this.#setRegistered(agent.id, agent.info.hostname, 'unreachable');
    // It may have spoken while the registry was written.
    const limitMs =
      this.#core.settings.agentPingTimeoutMs * this.#core.settings.maxAgentPingTimeouts;
    if (this.#core.clock.monotonicMs() - agent.lastHeardMs <= limitMs) {
      await this.#setRegistered(agent.id, agent.info.hostname, 'admitted');
      return;
    }
    agent.stream?.end();
    for (const task of agent.tasks.values()) {
      if (isTerminal(task.state)) continue;
      const key = taskKey(task.framework_id.value, task.task_id.value);
      this.#core.state.unreachableTasks.set(key, task);
    }
    this.#drop(agent, 'TASK_UNREACHABLE', 'Agent is unreachable');
  }

  /** Takes the agent out, and tells the frameworks about their tasks on it. */
  #drop(agent: Agent, aware: 'TASK_UNREACHABLE' | 'TASK_GONE_BY_OPERATOR', message: string): void {
    const { state } = this.#core;
    this.#core.rescindOffersOf(agent);
    state.removeAgent(agent);
    const told = new Set<string>();
    for (const task of agent.tasks.values()) {
      const framework = state.frameworks.get(task.framework_id.value);
      if (framework !== undefined) told.add(framework.id);
      if (isTerminal(task.state)) continue;
      const lost = this.#core.lostState(framework?.info, aware);
      const reason = 'REASON_AGENT_REMOVED';
      const id = task.task_id.value;
      this.#core.sendStatus(
        framework,
        this.#core.masterStatus(id, agent.id, lost, reason, message),
      );
    }
    for (const frameworkId of told) {
      const failure = { agent_id: { value: agent.id } };
      this.#core.send(state.frameworks.get(frameworkId), { type: 'FAILURE', failure });
    }
  }

  /** Known agents that did not come back in time after a failover of the master. */
  async #giveUpOnAbsent(): Promise<void> {
    const { registry, state, clock, startedAtMs, settings } = this.#core;
    if (clock.nowMs() - startedAtMs < settings.agentReregisterTimeoutMs) return;
    const absent = registry.agents.filter(
      (each) => each.state === 'admitted' && !state.agents.has(each.id),
    );
    for (const { id, hostname } of absent) await this.#setRegistered(id, hostname, 'unreachable');
  }
}

/** What tasks and executors of an agent take, from scratch: to check the running account. */
export function usedOf(agent: Agent) {
  const tasks = [...agent.tasks.values()].filter((task) => !isTerminal(task.state));
  const executors = [...agent.executors.values()].map(({ info }) => info);
  return unallocateResources([...tasks, ...executors].flatMap(({ resources }) => resources ?? []));
}
