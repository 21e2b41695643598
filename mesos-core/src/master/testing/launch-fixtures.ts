import {
  allocateResources,
  type ExecutorInfo,
  parseResources,
  type Resource,
  type Resources,
  type TaskInfo,
  type ValueRange,
} from '../../protocol/index.ts';
import type { LaunchContext } from '../launch.ts';

/** What there is to launch on. */
const OFFERED = 'cpus:8;mem:8192;disk:1000;gpus:4;ports:[31000-32000]';

/** Resources as in an offer to the role `eng`. */
export function marked(text: string): Resources {
  return allocateResources(parseResources(text), 'eng');
}

/** Nothing runs yet. */
export const CONTEXT: LaunchContext = {
  frameworkId: 'framework',
  agentId: 'agent',
  available: marked(OFFERED),
  isTaskKnown: () => false,
  isTaskUnreachable: () => false,
  executor: () => undefined,
  tasksOfExecutor: () => [],
};

/** A task that is in order, with a command. */
export const TASK: TaskInfo = {
  name: 'task',
  task_id: { value: 'task' },
  agent_id: { value: 'agent' },
  command: { value: 'true' },
  resources: marked('cpus:1;mem:64'),
};

/** An executor that is in order. */
export const EXECUTOR: ExecutorInfo = {
  type: 'CUSTOM',
  executor_id: { value: 'executor' },
  framework_id: { value: 'framework' },
  command: { value: 'executor' },
  resources: marked('cpus:0.1;mem:32;disk:10'),
};

/** The default executor, for groups. */
export const DEFAULT: ExecutorInfo = { ...EXECUTOR, type: 'DEFAULT', command: undefined };

/** What makes a task one with an executor. */
export function withExecutor(change: Partial<ExecutorInfo>): Partial<TaskInfo> {
  return { command: undefined, executor: { ...EXECUTOR, ...change } };
}

/** Ports of these ranges. */
export function ports(...range: readonly ValueRange[]): Resource {
  const allocation_info = { role: 'eng' };
  return { name: 'ports', type: 'RANGES', ranges: { range }, allocation_info };
}

/** A persistent volume. */
export function volume(id: string): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 10 },
    allocation_info: { role: 'eng' },
    reservations: [{ type: 'DYNAMIC', role: 'eng' }],
    disk: { persistence: { id }, volume: { mode: 'RW', container_path: 'data' } },
  };
}

/** Resources that may be taken away at any time. */
export function revocable(text: string): Resources {
  return marked(text).map((resource) => ({ ...resource, revocable: {} }));
}

/** A command with these variables, each called X. */
export const variables = (...each: readonly object[]) => ({
  value: 'true',
  environment: { variables: each.map((one) => ({ name: 'X', ...one })) },
});

/** A container with cgroups of its own. */
export const ownCgroups = { type: 'MESOS' as const, linux_info: { share_cgroups: false } };
/** A container in the cgroups of its executor. */
export const sharedCgroups = { type: 'MESOS' as const, linux_info: { share_cgroups: true } };

/** All numbers of a range; none when it ends before it begins. */
export function numbers(begin: number, end: number): readonly number[] {
  return Array.from({ length: Math.max(0, end - begin + 1) }, (_, index) => begin + index);
}
