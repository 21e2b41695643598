import { type AgentSubscribe, type Task, unallocateResources } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { reportedTask } from './kept-task.ts';
import { takeOverOperations } from './operations/feedback.ts';
import { type Agent, executorKey, isTerminal, taskKey } from './state.ts';
import { shutDownDisowned } from './without-checkpoint.ts';

/**
 * Settles the difference between what an agent that has subscribed says and what the master knew:
 * what the agent has is taken over, what it does not have is lost, KILLs that may not have arrived
 * are sent again. The agent's word on what it runs is final.
 * @param adoptFramework see `Frameworks.adopt`.
 */
export function takeOver(
  core: MasterCore,
  agent: Agent,
  subscribe: AgentSubscribe,
  adoptFramework: (info: AgentSubscribe['frameworks'][number]) => boolean,
): void {
  for (const info of subscribe.frameworks) {
    if (adoptFramework(info)) continue;
    agent.stream?.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: info.id?.value ?? '' });
  }
  takeOverOperations(core, agent, subscribe);
  takeOverExecutors(core, agent, subscribe);
  takeOverTasks(core, agent, subscribe.tasks);
  for (const [key, task] of core.state.unreachableTasks.ofAgent(agent.id)) {
    loseUnreachableTask(core, agent, key, task);
  }
  for (const order of agent.kills.values()) agent.stream?.send(order);
  shutDownDisowned(agent, subscribe);
  tellOfUpdates(core, agent, subscribe);
  // Resources may have changed hands: offers made before can't be trusted.
  core.rescindOffersOf(agent);
}

function takeOverExecutors(core: MasterCore, agent: Agent, { executors }: AgentSubscribe): void {
  const { state } = core;
  const reported = new Set(
    executors.map((info) => executorKey(info.framework_id?.value ?? '', info.executor_id.value)),
  );
  for (const [key, { frameworkId, info }] of [...agent.executors]) {
    if (!reported.has(key)) state.removeExecutor(agent, frameworkId, info.executor_id.value);
  }
  for (const info of executors) {
    const frameworkId = info.framework_id?.value ?? '';
    if (state.frameworks.has(frameworkId)) state.putExecutor(agent, frameworkId, info);
  }
}

function takeOverTasks(core: MasterCore, agent: Agent, tasks: readonly Task[]): void {
  const { state } = core;
  // Told twice, a task is still one.
  const reported = new Map(tasks.map((task) => [keyOf(task), task]));
  for (const [key, task] of [...agent.tasks]) if (!reported.has(key)) loseTask(core, agent, task);
  const agent_id = agent.info.id ?? { value: agent.id };
  const kept: Task[] = [];
  const fresh: Task[] = [];
  for (const [key, task] of reported) {
    const framework_id = state.frameworks.get(task.framework_id.value)?.info.id;
    if (framework_id === undefined) continue;
    kept.push(reportedTask(task, { agent_id, framework_id }, kept.at(-1)));
    if (!agent.tasks.has(key)) fresh.push(task);
  }
  state.putTasks(agent, kept);
  for (const task of fresh) core.events.emit(() => ({ type: 'TASK_ADDED', task_added: { task } }));
  for (const [key] of state.unreachableTasks.ofAgent(agent.id)) {
    const task = reported.get(key);
    if (task === undefined || !agent.tasks.has(key)) continue;
    state.unreachableTasks.delete(key);
    const status = core.masterStatus(
      task.task_id.value,
      agent.id,
      task.status_update_state ?? task.state,
      'REASON_AGENT_REREGISTERED',
      'Unreachable agent re-reregistered',
    );
    core.sendStatus(state.frameworks.get(task.framework_id.value), status);
  }
}

/** A launch that was lost on its way, or a task that the agent lost. */
function loseTask(core: MasterCore, agent: Agent, task: Task): void {
  const framework = core.state.frameworks.get(task.framework_id.value);
  if (isTerminal(task.state)) {
    core.state.removeTask(agent, task);
    return;
  }
  const state = core.lostState(framework?.info, 'TASK_DROPPED');
  core.state.removeTask(agent, { ...task, state });
  const message = 'Reconciliation: task unknown to the agent';
  const [taskId, reason] = [task.task_id.value, 'REASON_RECONCILIATION'] as const;
  const status = core.masterStatus(taskId, agent.id, state, reason, message);
  core.tellTaskUpdate(task.framework_id.value, status, state);
}

/** The agent is back, and the task did not survive its absence. */
function loseUnreachableTask(core: MasterCore, agent: Agent, key: string, task: Task): void {
  core.state.unreachableTasks.delete(key);
  const framework = core.state.frameworks.get(task.framework_id.value);
  const state = core.lostState(framework?.info, 'TASK_GONE');
  const message = 'Reconciliation: task unknown to the agent';
  const [taskId, reason] = [task.task_id.value, 'REASON_RECONCILIATION'] as const;
  core.sendStatus(framework, core.masterStatus(taskId, agent.id, state, reason, message));
}

/** The agent may have missed a change of a framework's description while it was away. */
function tellOfUpdates(core: MasterCore, agent: Agent, { frameworks }: AgentSubscribe): void {
  for (const info of frameworks) {
    const framework = core.state.frameworks.get(info.id?.value ?? '');
    if (framework === undefined || framework.recovered) continue;
    if (JSON.stringify(framework.info) === JSON.stringify(info)) continue;
    agent.stream?.send({ type: 'UPDATE_FRAMEWORK', framework: framework.info });
  }
}

function keyOf(task: Task): string {
  return taskKey(task.framework_id.value, task.task_id.value);
}

/** What tasks and executors of an agent take, from scratch: to check the running account. */
export function usedOf(agent: Agent) {
  const tasks = [...agent.tasks.values()].filter((task) => !isTerminal(task.state));
  const executors = [...agent.executors.values()].map(({ info }) => info);
  return unallocateResources([...tasks, ...executors].flatMap(({ resources }) => resources ?? []));
}
