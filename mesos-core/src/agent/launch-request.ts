import type { AgentContext } from './context.ts';
import { executorEnvironment, taskEnvironment } from './executor-environment.ts';
import { LaunchError, type LaunchRequest } from './launcher/executor-launcher.ts';
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
  if (run.kind !== 'command') return { ...ids, environment, command: run.info.command ?? {} };
  const [task] = liveTasks(framework, run);
  if (task === undefined) throw new LaunchError('the task was killed before it began');
  return {
    ...ids,
    command: task.info.command ?? {},
    environment: { ...environment, ...taskEnvironment(run, task) },
  };
}
