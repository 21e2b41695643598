import type { AgentCall } from '../protocol/index.ts';
import { type Agent, executorKey, isTerminal } from './state.ts';

type ExecutorExited = Extract<AgentCall, { type: 'EXECUTOR_EXITED' }>;

/** Executors of an agent whose last end is remembered. */
const EXITED_PER_AGENT_MAX = 1000;

/** Notes that a run of an executor is over, so that the same word again is known. */
export function rememberExit(agent: Agent, key: string, containerId: string): void {
  agent.exitedContainers.delete(key);
  agent.exitedContainers.set(key, containerId);
  const [oldest] = agent.exitedContainers.keys();
  if (agent.exitedContainers.size > EXITED_PER_AGENT_MAX && oldest !== undefined) {
    agent.exitedContainers.delete(oldest);
  }
}

/** Whether an executor's end was told before, or is that of a run before the current one. Pure. */
export function isOutdatedExit(agent: Agent, call: ExecutorExited): boolean {
  const { framework_id, executor_id, container_id } = call;
  if (container_id === '') return false;
  const exited = agent.exitedContainers.get(executorKey(framework_id, executor_id));
  if (exited === container_id) return true;
  const living = [...agent.tasks.values()]
    .filter((task) => task.framework_id.value === framework_id && !isTerminal(task.state))
    .filter((task) => task.executor_id?.value === executor_id)
    .flatMap((task) => task.statuses?.at(-1)?.container_status?.container_id?.value ?? []);
  return living.length > 0 && !living.includes(container_id);
}
