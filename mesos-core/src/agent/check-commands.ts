import type { Prober } from '../executors/checks/check-loop.ts';
import { createProber, type NetworkProbes } from '../executors/checks/prober.ts';
import type { CommandInfo, TaskInfo } from '../protocol/index.ts';
import type { AgentContext } from './context.ts';
import { commandVariables, executorEnvironment } from './executor-environment.ts';
import type { ExecutorRun, Framework } from './state.ts';
import { newUuid } from './uuid.ts';

/** How the checks of a task look: over the network, or by commands beside it in its sandbox. */
export function proberFor(
  context: AgentContext,
  network: NetworkProbes,
  framework: Framework,
  run: ExecutorRun,
  task: TaskInfo,
): Prober {
  return createProber({
    network,
    runCommand: (command, signal) =>
      runCheckCommand(context, framework, run, task, command, signal),
  });
}

async function runCheckCommand(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun,
  task: TaskInfo,
  command: CommandInfo,
  signal: AbortSignal,
): Promise<number> {
  const { frameworkId, executorId, directory } = run;
  const environment = {
    ...executorEnvironment(context, framework, run),
    ...commandVariables(task.command?.environment?.variables ?? []),
    ...commandVariables(command.environment?.variables ?? []),
  };
  const user = command.user === undefined ? run.user : command.user;
  const containerId = `check-${newUuid(context.random)}`;
  const request = {
    ...{ frameworkId, executorId, containerId, command, environment, directory, user },
    ...{ resources: [], parentContainerId: run.containerId, taskId: task.task_id.value },
  };
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
}
