import type { TaskInfo } from '../protocol/index.ts';
import { progressChange } from './checkpoint/records.ts';
import { type Container, LaunchError, type LaunchRequest } from './containerizer/containerizer.ts';
import type { AgentContext } from './context.ts';
import { executorEnvironment, taskEnvironment } from './executor-environment.ts';
import { fetchUris, limitsOf } from './launch-request.ts';
import { nestedSandbox } from './sandbox/sandboxes.ts';
import type { ExecutorRun, Framework, TaskRecord } from './state.ts';
import { newUuid } from './uuid.ts';

/** The id of the task's own container; it is durable with the next commit of the task's progress. */
export function nestedContainerId(context: AgentContext, task: TaskRecord): string {
  task.nested ??= { containerId: newUuid(context.random), identity: undefined };
  return task.nested.containerId;
}

/**
 * Starts the container of a task of the default executor, or finds it again.
 * @throws LaunchError, FetchError when it can't be started.
 */
export async function openNestedContainer(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun,
  info: TaskInfo,
): Promise<Container> {
  const task = framework.tasks.get(info.task_id.value);
  if (task === undefined) throw new LaunchError('the agent does not know the task any more');
  const containerId = nestedContainerId(context, task);
  const identity = task.nested?.identity;
  if (identity !== undefined) return context.containerizer.recover(identity);
  const request = nestedRequest(context, framework, run, task, containerId);
  await context.sandboxes.linkTask(run.directory, info.task_id.value, containerId);
  await fetchUris(context, request, info.command?.uris ?? []);
  return context.containerizer.launch(request, async (launched) => {
    if (run.state === 'terminated') throw new LaunchError('its executor is gone');
    await context.linkVolumes(run, request.resources, request.directory);
    task.nested = { containerId, identity: launched };
    await context.commit([progressChange(task)]);
  });
}

function nestedRequest(
  context: AgentContext,
  framework: Framework,
  run: ExecutorRun,
  task: TaskRecord,
  containerId: string,
): LaunchRequest {
  const { info } = task;
  const directory = nestedSandbox(run, containerId);
  return {
    ...{ frameworkId: run.frameworkId, executorId: run.executorId, containerId, directory },
    parentContainerId: run.containerId,
    taskId: info.task_id.value,
    command: info.command ?? {},
    environment: {
      ...executorEnvironment(context, framework, run),
      ...{ MESOS_SANDBOX: directory, MESOS_DIRECTORY: directory, PWD: directory },
      ...taskEnvironment({ containerId }, task),
    },
    user: run.user === undefined ? undefined : info.command?.user || run.user,
    resources: info.resources ?? [],
    limits: limitsOf(info),
    container: info.container,
  };
}
