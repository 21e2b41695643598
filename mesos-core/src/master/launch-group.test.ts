import { describe, expect, it } from 'vitest';
import type { ExecutorInfo, Task, TaskInfo } from '../protocol/index.ts';
import { groupProblem, type LaunchContext } from './launch.ts';
import {
  CONTEXT,
  DEFAULT,
  EXECUTOR,
  marked,
  ownCgroups,
  ports,
  sharedCgroups,
  TASK,
} from './testing/launch-fixtures.ts';

describe('a group', () => {
  const problem = (
    tasks: readonly Partial<TaskInfo>[],
    executor: ExecutorInfo = DEFAULT,
    context: Partial<LaunchContext> = {},
  ) =>
    groupProblem(
      tasks.map((change, index) => ({
        ...TASK,
        ...{ task_id: { value: `task-${index}` }, executor },
        ...change,
      })),
      executor,
      { ...CONTEXT, ...context },
    );

  it('is in order with the default executor, or one of its own', () => {
    expect(problem([{}, {}])).toBeUndefined();
    expect(problem([{}, {}], EXECUTOR)).toBeUndefined();
    expect(problem([{ container: ownCgroups, limits: { cpus: { value: 2 } } }])).toBeUndefined();
  });

  it.each<[string, Partial<TaskInfo>, ExecutorInfo, string]>([
    [
      'an executor of no type',
      {},
      { ...EXECUTOR, type: undefined },
      "'ExecutorInfo.type' must be set",
    ],
    [
      'an executor without CPUs',
      {},
      { ...DEFAULT, resources: marked('mem:32;disk:10') },
      "Executor 'executor' uses less CPUs (None) than the minimum required (0.01)",
    ],
    [
      'an executor with little memory',
      {},
      { ...DEFAULT, resources: marked('cpus:1;mem:16;disk:10') },
      "Executor 'executor' uses less memory (16MB) than the minimum required (32MB)",
    ],
    [
      'an executor without a disk',
      {},
      { ...DEFAULT, resources: marked('cpus:1;mem:32') },
      "Executor 'executor' uses no disk",
    ],
    [
      'an executor in Docker',
      {},
      { ...EXECUTOR, container: { type: 'DOCKER', docker: { image: 'i' } } },
      'Docker ContainerInfo is not supported on the executor',
    ],
    [
      'the default executor in an image',
      {},
      { ...DEFAULT, container: { type: 'MESOS', mesos: { image: { type: 'DOCKER' } } } },
      "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor",
    ],
    [
      'a task that names another executor',
      { executor: { ...DEFAULT, executor_id: { value: 'other' } } },
      DEFAULT,
      "The `ExecutorInfo` of task 'task-0' is different from executor 'executor'",
    ],
    [
      'a task in Docker',
      { container: { type: 'DOCKER', docker: { image: 'i' } } },
      DEFAULT,
      "Task 'task-0' is invalid: Docker ContainerInfo is not supported on the task",
    ],
    [
      'a task that is probed in a network of its own',
      {
        health_check: { type: 'TCP', tcp: { port: 80 } },
        container: { type: 'MESOS', network_infos: [{ name: 'n' }] },
      },
      DEFAULT,
      "Task 'task-0' is invalid: HTTP and TCP health checks are not supported for nested " +
        "containers not joining parent's network",
    ],
    [
      'limits of a task that shares the cgroups of the executor',
      { limits: { cpus: { value: 2 } } },
      DEFAULT,
      "Task 'task-0' is invalid: Resource limits may only be set for tasks within a task group " +
        "when the 'share_cgroups' field is set to 'false'.",
    ],
    [
      'an executor that shares cgroups',
      {},
      { ...DEFAULT, container: sharedCgroups },
      "The 'share_cgroups' field cannot be set to 'true' on executor containers",
    ],
  ])('with %s is not', (_what, change, executor, expected) => {
    expect(problem([change, {}], executor)).toBe(expected);
  });

  it('of more tasks than are launched in one go is not', () => {
    expect(problem(Array(1000).fill({ resources: marked('cpus:0.001') }))).toBeUndefined();
    expect(problem(Array(1001).fill({}))).toBe('Task group has more than 1000 tasks');
  });

  it('in which two have the same port is not, nor one that has a port of its executor', () => {
    const one = { resources: [ports({ begin: 31_000, end: 31_000 })] };
    const other = { resources: [ports({ begin: 31_001, end: 31_001 })] };
    const executor = { ...DEFAULT, resources: [...(DEFAULT.resources ?? []), ...one.resources] };
    expect(problem([one, other])).toBeUndefined();
    expect(problem([one, one])).toMatch(/^There are overlapping resources in the task group's/);
    expect(problem([one, other], executor)).toMatch(/^There are overlapping resources/);
  });

  it('in which some have cgroups of their own and some not is not', () => {
    const mixed = /^If set, the value of 'share_cgroups' must be the same for all tasks/;
    expect(problem([{ container: ownCgroups }, {}])).toMatch(mixed);
    const runs: Task = {
      ...{ name: 'runs', task_id: { value: 'runs' }, agent_id: { value: 'agent' } },
      ...{ framework_id: { value: 'framework' }, state: 'TASK_RUNNING' },
    };
    const context = { executor: () => DEFAULT, tasksOfExecutor: () => [runs] };
    expect(problem([{ container: ownCgroups }], DEFAULT, context)).toMatch(mixed);
    expect(problem([{ container: sharedCgroups }], DEFAULT, context)).toBeUndefined();
  });
});
