import type { MasterCore } from './core.ts';
import { dropOperationsOf } from './operations/feedback.ts';
import { withoutAgent } from './registry.ts';
import { type Agent, isTerminal } from './state.ts';
import type { TaskEnd } from './task-end.ts';

/** What an agent that will not come back means for its tasks. */
export const AGENT_REMOVED = { state: 'TASK_GONE', reason: 'REASON_AGENT_REMOVED' } as const;

/** It is not expected back, and nobody will ask for it: it is forgotten. */
export async function removeAgent(core: MasterCore, agent: Agent, why: string): Promise<void> {
  const { id, info } = agent;
  core.logger.warn({ agentId: id, why }, 'agent is removed');
  await core.updateRegistry((registry) => withoutAgent(registry, id));
  if (core.state.agents.get(id) !== agent) return;
  agent.stream?.end();
  dropAgent(core, agent, { ...AGENT_REMOVED, message: `Agent ${info.hostname} removed: ${why}` });
}

/** Takes the agent out, and tells the frameworks: of their tasks there, and of the agent. */
export function dropAgent(core: MasterCore, agent: Agent, end: TaskEnd): void {
  const { state } = core;
  const { reason, message, unreachable_time } = end;
  core.rescindOffersOf(agent);
  const isGone = end.state !== 'TASK_UNREACHABLE';
  const lost = isGone ? 'OPERATION_GONE_BY_OPERATOR' : 'OPERATION_UNREACHABLE';
  dropOperationsOf(core, agent.id, lost);
  state.removeAgent(agent);
  core.metrics.onAgentRemoval(end.state);
  for (const task of agent.tasks.values()) {
    if (isTerminal(task.state)) continue;
    const framework = state.frameworks.get(task.framework_id.value);
    const lost = core.lostState(framework?.info, end.state);
    const taskId = task.task_id.value;
    const status = {
      ...core.masterStatus(taskId, agent.id, lost, reason, message),
      ...(unreachable_time === undefined ? {} : { unreachable_time }),
    };
    if (isGone) state.completedTasks.add({ ...task, state: lost });
    core.tellTaskUpdate(task.framework_id.value, status, lost);
  }
  core.events.emit(() => ({
    type: 'AGENT_REMOVED',
    agent_removed: { agent_id: { value: agent.id } },
  }));
  for (const framework of state.frameworks.values()) {
    const failure = { agent_id: { value: agent.id } };
    core.send(framework, { type: 'FAILURE', failure });
  }
}
