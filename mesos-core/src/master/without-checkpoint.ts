import type { AgentSubscribe } from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import { type Agent, isTerminal } from './state.ts';

/**
 * The agent's connection broke: what it has of frameworks that do not checkpoint is over. As in Mesos,
 * which can't tell an agent that is cut off from one that died, and with it whatever was not
 * checkpointed.
 */
export function endUncheckpointed(core: MasterCore, agent: Agent): void {
  for (const frameworkId of frameworkIdsOn(agent)) {
    const framework = core.state.frameworks.get(frameworkId);
    if (framework === undefined || framework.info.checkpoint === true) continue;
    agent.disowned.add(frameworkId);
    endTasks(core, agent, frameworkId);
    for (const { frameworkId: id, info } of [...agent.executors.values()]) {
      if (id === frameworkId) core.state.removeExecutor(agent, id, info.executor_id.value);
    }
  }
}

/** The agent is back. It had only been cut off if it still runs any of that: its turn to end it. */
export function shutDownDisowned(agent: Agent, { executors, tasks }: AgentSubscribe): void {
  const orders = new Map<string, { framework_id: string; executor_id: string }>();
  const add = (framework_id: string, executor_id: string): void => {
    if (!agent.disowned.has(framework_id)) return;
    orders.set(`${framework_id} ${executor_id}`, { framework_id, executor_id });
  };
  for (const { framework_id, executor_id } of executors) {
    add(framework_id?.value ?? '', executor_id.value);
  }
  // The executor that an agent makes for a command has the task's id.
  for (const { framework_id, executor_id, task_id } of tasks) {
    add(framework_id.value, executor_id?.value || task_id.value);
  }
  for (const order of orders.values()) agent.stream?.send({ type: 'SHUTDOWN_EXECUTOR', ...order });
  agent.disowned.clear();
}

function frameworkIdsOn(agent: Agent): ReadonlySet<string> {
  const ids = new Set(Array.from(agent.executors.values(), ({ frameworkId }) => frameworkId));
  for (const { framework_id } of agent.tasks.values()) ids.add(framework_id.value);
  return ids;
}

function endTasks(core: MasterCore, agent: Agent, frameworkId: string): void {
  const end = core.lostState(core.state.frameworks.get(frameworkId)?.info, 'TASK_GONE');
  const message = `Agent ${agent.info.hostname} disconnected`;
  for (const task of [...agent.tasks.values()]) {
    if (task.framework_id.value !== frameworkId || isTerminal(task.state)) continue;
    core.state.removeTask(agent, { ...task, state: end });
    const reason = 'REASON_AGENT_DISCONNECTED';
    const status = core.masterStatus(task.task_id.value, agent.id, end, reason, message);
    core.tellTaskUpdate(frameworkId, status, end);
  }
}
