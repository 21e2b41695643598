import type { Prober } from '../executors/checks/check-loop.ts';
import { createProber, type NetworkProbes } from '../executors/checks/prober.ts';
import type { CommandInfo } from '../protocol/index.ts';
import type { LaunchRequest } from './containerizer/containerizer.ts';
import type { AgentContext } from './context.ts';
import { commandVariables, executorEnvironment, taskEnvironment } from './executor-environment.ts';
import { nestedSandbox } from './sandbox/sandboxes.ts';
import type { ExecutorRun, Framework, TaskRecord } from './state.ts';
import { newUuid } from './uuid.ts';

/**
 * How the checks of a task look: over the network, or by commands in a container nested in that of
 * the task, in its sandbox.
 */
export function proberFor(
  context: AgentContext,
  network: NetworkProbes,
  framework: Framework,
  run: ExecutorRun,
  task: TaskRecord | undefined,
): Prober {
  return createProber({
    network,
    runCommand: async (command, signal) => {
      if (task === undefined) return undefined;
      const request = checkRequest(context, framework, run, task, command);
      // Nothing is kept of a check: one whose agent dies is done again by the next.
      const container = await context.containerizer.launch(request, async () => undefined);
      const onAbort = (): void => void container.kill();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        if (signal.aborted) await container.kill();
        return (await container.exited).status;
      } finally {
        await container.forget();
        signal.removeEventListener('abort', onAbort);
      }
    },
  });
}

function checkRequest(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun,
  task: TaskRecord,
  command: CommandInfo,
): LaunchRequest {
  const { frameworkId, executorId } = run;
  const parentContainerId = task.nested?.containerId ?? run.containerId;
  const directory =
    task.nested === undefined ? run.directory : nestedSandbox(run, task.nested.containerId);
  return {
    ...{ frameworkId, executorId, directory, parentContainerId, command },
    containerId: `check-${newUuid(context.random)}`,
    taskId: task.info.task_id.value,
    environment: {
      ...executorEnvironment(context, framework, run),
      ...{ MESOS_SANDBOX: directory, MESOS_DIRECTORY: directory, PWD: directory },
      ...taskEnvironment({ containerId: parentContainerId }, task),
      ...commandVariables(command.environment?.variables ?? []),
    },
    user: run.user === undefined ? undefined : command.user || run.user,
    resources: [],
  };
}
