import { addResources, type TaskInfo } from '../protocol/index.ts';
import { LaunchError, type LaunchRequest } from './containerizer/containerizer.ts';
import type { AgentContext } from './context.ts';
import { executorEnvironment, taskEnvironment } from './executor-environment.ts';
import { type ExecutorRun, type Framework, liveTasks } from './state.ts';

/**
 * What to run for an executor: its own command, or for a command task the task itself.
 * @throws LaunchError when the task is gone before it began.
 */
export function launchRequest(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun,
): LaunchRequest {
  const { frameworkId, executorId, containerId, directory, user } = run;
  const ids = { frameworkId, executorId, containerId, directory, user };
  const environment = executorEnvironment(context, framework, run);
  if (run.kind !== 'command') {
    const { command = {}, resources = [], container } = run.info;
    return { ...ids, environment, command, resources, container };
  }
  const [task] = liveTasks(framework, run);
  if (task === undefined) throw new LaunchError('the task was killed before it began');
  return {
    ...ids,
    command: task.info.command ?? {},
    taskId: task.info.task_id.value,
    // Of the executor too: it does its work here without a process of its own.
    resources: addResources(task.info.resources ?? [], run.info.resources ?? []),
    limits: limitsOf(task.info),
    container: task.info.container,
    environment: { ...environment, ...taskEnvironment(run, task) },
  };
}

function limitsOf({ limits = {} }: TaskInfo): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value]));
}
