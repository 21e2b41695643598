import {
  allocateResources,
  type ExecutorInfo,
  equalResources,
  formatResources,
  idProblem,
  scalarAmount,
  type TaskInfo,
} from '../../protocol/index.ts';
import { commandProblem } from './command.ts';
import { containerProblem, sharesCgroups } from './container.ts';
import { ownResourcesProblem } from './resources.ts';

/** Less than this an executor of a group can't do with, as in Mesos. */
const CPUS_MIN = 0.01;
const MEMORY_MIB_MIN = 32;

/** What an executor is checked against. */
export interface ExecutorContext {
  readonly frameworkId: string;
  /** The executor of that id which the agent already has for this framework. */
  readonly executor: (executorId: string) => ExecutorInfo | undefined;
}

/**
 * What is wrong with an executor, whatever it is to run, in Mesos' words and order, or `undefined`.
 * Pure.
 */
export function executorProblem(
  executor: ExecutorInfo,
  { frameworkId, executor: knownExecutor }: ExecutorContext,
): string | undefined {
  const { executor_id, framework_id, resources = [] } = executor;
  const problem =
    typeProblem(executor) ??
    idProblem(executor_id.value) ??
    formProblem(executor) ??
    (framework_id !== undefined && framework_id.value !== frameworkId
      ? `ExecutorInfo has an invalid FrameworkID (Actual: ${framework_id.value} vs Expected: ${frameworkId})`
      : undefined) ??
    ownResourcesProblem('Executor', resources);
  if (problem !== undefined) return problem;
  const known = knownExecutor(executor_id.value);
  if (known === undefined || isSameExecutor(known, executor)) return undefined;
  return (
    `ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID ` +
    `'${executor_id.value}'`
  );
}

/** What is wrong with the executor of a task that is launched by itself. Pure. */
export function taskExecutorProblem(executor: ExecutorInfo): string | undefined {
  const { type, command, container, resources = [] } = executor;
  if (type !== undefined && type !== 'CUSTOM') return "'ExecutorInfo.type' must be 'CUSTOM'";
  if (command === undefined) return "'ExecutorInfo.command' must be set";
  if (resources.some(({ shared }) => shared !== undefined)) {
    return `Executor resources ${formatResources(resources)} should not contain any shared resources`;
  }
  return sharesCgroups(container) === true
    ? "The 'share_cgroups' field cannot be set to 'true' on executor containers"
    : undefined;
}

/** What is wrong with the executor of a group. Pure. */
export function groupExecutorProblem(
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const { type, container, executor_id, resources = [] } = executor;
  if (type === undefined) return "'ExecutorInfo.type' must be set";
  if (type === 'UNKNOWN') return 'Unknown executor type';
  if (container?.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the executor';
  const other = tasks.find((task) => task.executor && !isSameExecutor(task.executor, executor));
  const id = `'${executor_id.value}'`;
  if (other !== undefined) {
    const task = `task '${other.task_id.value}'`;
    return `The \`ExecutorInfo\` of ${task} is different from executor ${id}`;
  }
  const cpus = scalarAmount(resources, 'cpus');
  if (cpus < CPUS_MIN) {
    const has = cpus === 0 ? 'None' : cpus;
    return `Executor ${id} uses less CPUs (${has}) than the minimum required (${CPUS_MIN})`;
  }
  const memoryMiB = scalarAmount(resources, 'mem');
  if (memoryMiB < MEMORY_MIB_MIN) {
    const has = memoryMiB === 0 ? 'None' : `${memoryMiB}MB`;
    return `Executor ${id} uses less memory (${has}) than the minimum required (${MEMORY_MIB_MIN}MB)`;
  }
  return scalarAmount(resources, 'disk') > 0 ? undefined : `Executor ${id} uses no disk`;
}

function typeProblem({ type, command, container }: ExecutorInfo): string | undefined {
  if (type === 'CUSTOM') {
    return command === undefined
      ? "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
      : undefined;
  }
  if (type !== 'DEFAULT') return undefined;
  if (command !== undefined) {
    return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
  }
  if (container === undefined) return undefined;
  if (container.type !== 'MESOS') {
    return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
  }
  return container.mesos?.image === undefined
    ? undefined
    : "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor";
}

function formProblem(executor: ExecutorInfo): string | undefined {
  const { shutdown_grace_period, command, container } = executor;
  if ((shutdown_grace_period?.nanoseconds ?? 0) < 0) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  }
  const badCommand = command && commandProblem(command);
  if (badCommand !== undefined) return `Executor's \`CommandInfo\` is invalid: ${badCommand}`;
  const badContainer = container && containerProblem(container);
  return badContainer && `Executor's \`ContainerInfo\` is invalid: ${badContainer}`;
}

/** Resources may carry marks or not: they are compared by what they are. */
function isSameExecutor(a: ExecutorInfo, b: ExecutorInfo): boolean {
  if (a === b) return true;
  const plain = ({ resources: _, framework_id: __, ...rest }: ExecutorInfo) => stableJson(rest);
  const marked = ({ resources }: ExecutorInfo) => allocateResources(resources ?? [], '');
  return plain(a) === plain(b) && equalResources(marked(a), marked(b));
}

/** JSON with sorted keys. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
