import {
  addResources,
  type CommandInfo,
  type CommandInfoURI,
  type TaskInfo,
} from '../protocol/index.ts';
import { LaunchError, type LaunchRequest } from './containerizer/containerizer.ts';
import { currentUid, lookUpAccount } from './containerizer/launcher/user-account.ts';
import type { AgentContext } from './context.ts';
import { executorEnvironment, taskEnvironment } from './executor-environment.ts';
import { type ExecutorRun, type Framework, liveTasks, sharedResources } from './state.ts';

/** The container of a default executor holds those of its tasks; a process keeps it there. */
const HOLDER: CommandInfo = { shell: false, value: 'sleep', arguments: ['sleep', 'infinity'] };

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
  const recoveryTimeoutMs = recoveryTimeoutOf(context, framework);
  if (run.kind === 'default') {
    const resources = sharedResources(framework, run);
    const { container } = run.info;
    return { ...ids, recoveryTimeoutMs, environment, command: HOLDER, resources, container };
  }
  if (run.kind !== 'command') {
    const { command = {}, resources = [], container } = run.info;
    return { ...ids, environment, command, resources, container };
  }
  const [task] = liveTasks(framework, run);
  if (task === undefined) throw new LaunchError('the task was killed before it began');
  return {
    ...ids,
    recoveryTimeoutMs,
    command: task.info.command ?? {},
    taskId: task.info.task_id.value,
    // Of the executor too: it does its work here without a process of its own.
    resources: addResources(task.info.resources ?? [], run.info.resources ?? []),
    limits: limitsOf(task.info),
    container: task.info.container,
    environment: { ...environment, ...taskEnvironment(run, task) },
  };
}

/** Executors of frameworks that do not checkpoint end at once when the agent does. */
function recoveryTimeoutOf({ settings }: AgentContext, { info }: Framework): number | undefined {
  if (info.checkpoint !== true) return 0;
  return Number.isFinite(settings.recoveryTimeoutMs) ? settings.recoveryTimeoutMs : undefined;
}

/**
 * Brings the files of a command into the sandbox, if there are any.
 * @throws LaunchError, FetchError in Mesos' words.
 */
export async function fetchUris(
  { fetcher }: Pick<AgentContext, 'fetcher'>,
  { containerId, directory, user }: LaunchRequest,
  uris: readonly CommandInfoURI[],
): Promise<void> {
  if (uris.length === 0) return;
  const account = user === undefined ? undefined : await lookUpAccount(user);
  const owner = account?.uid === currentUid() ? undefined : account;
  await fetcher.fetch({ containerId, directory, uris, owner });
}

/** How far a task may go above its resources, by name. */
export function limitsOf({ limits = {} }: TaskInfo): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value]));
}
