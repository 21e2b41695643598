import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocateResources,
  type ExecutorInfo,
  parseResources,
  type Resource,
  type Resources,
  type Task,
  type TaskInfo,
  type ValueRange,
} from '../protocol/index.ts';
import { groupProblem, type LaunchContext, launchProblem } from './launch.ts';
import { haveOverlap } from './validation/resources.ts';

const OFFERED = 'cpus:8;mem:8192;disk:1000;gpus:4;ports:[31000-32000]';

function marked(text: string): Resources {
  return allocateResources(parseResources(text), 'eng');
}

const CONTEXT: LaunchContext = {
  frameworkId: 'framework',
  agentId: 'agent',
  available: marked(OFFERED),
  isTaskKnown: () => false,
  isTaskUnreachable: () => false,
  executor: () => undefined,
  tasksOfExecutor: () => [],
};

const TASK: TaskInfo = {
  name: 'task',
  task_id: { value: 'task' },
  agent_id: { value: 'agent' },
  command: { value: 'true' },
  resources: marked('cpus:1;mem:64'),
};

const EXECUTOR: ExecutorInfo = {
  type: 'CUSTOM',
  executor_id: { value: 'executor' },
  framework_id: { value: 'framework' },
  command: { value: 'executor' },
  resources: marked('cpus:0.1;mem:32;disk:10'),
};

const DEFAULT: ExecutorInfo = { ...EXECUTOR, type: 'DEFAULT', command: undefined };

function problemOf(change: Partial<TaskInfo>, context: Partial<LaunchContext> = {}) {
  return launchProblem({ ...TASK, ...change }, { ...CONTEXT, ...context });
}

function withExecutor(change: Partial<ExecutorInfo>): Partial<TaskInfo> {
  return { command: undefined, executor: { ...EXECUTOR, ...change } };
}

function ports(...range: readonly ValueRange[]): Resource {
  const allocation_info = { role: 'eng' };
  return { name: 'ports', type: 'RANGES', ranges: { range }, allocation_info };
}

function volume(id: string): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 10 },
    allocation_info: { role: 'eng' },
    reservations: [{ type: 'DYNAMIC', role: 'eng' }],
    disk: { persistence: { id }, volume: { mode: 'RW', container_path: 'data' } },
  };
}

function revocable(text: string): Resources {
  return marked(text).map((resource) => ({ ...resource, revocable: {} }));
}

const variables = (...each: readonly object[]) => ({
  value: 'true',
  environment: { variables: each.map((one) => ({ name: 'X', ...one })) },
});

const seconds = (nanoseconds: number) => ({ nanoseconds });
const ownCgroups = { type: 'MESOS' as const, linux_info: { share_cgroups: false } };
const sharedCgroups = { type: 'MESOS' as const, linux_info: { share_cgroups: true } };

describe('a task that is launched by itself', () => {
  it.each<[string, Partial<TaskInfo>]>([
    ['with a command', {}],
    ['with an executor', withExecutor({})],
    ['with an executor that takes nothing', withExecutor({ resources: [] })],
    ['with an executor of no type', withExecutor({ type: undefined })],
    ['with checks', { check: { type: 'TCP', tcp: { port: 80 } } }],
    ['with a health check', { health_check: { type: 'COMMAND', command: { value: 'true' } } }],
    ['with a variable', { command: variables({ value: '' }) }],
    ['with a limit', { limits: { cpus: { value: 1 }, mem: { value: Number.POSITIVE_INFINITY } } }],
    [
      'with ports in any order',
      { resources: [ports({ begin: 31500, end: 31501 }, { begin: 31000, end: 31499 })] },
    ],
    ['with whole GPUs', { resources: marked('gpus:2') }],
    ['that shares its cgroups', { container: sharedCgroups }],
  ])('%s is in order', (_what, change) => {
    expect(problemOf(change)).toBeUndefined();
  });

  it.each<[string, Partial<TaskInfo>, string]>([
    [
      'a negative grace period',
      { kill_policy: { grace_period: seconds(-1) } },
      "Task's 'kill_policy.grace_period' must be non-negative",
    ],
    [
      'a negative time to complete',
      { max_completion_time: seconds(-1) },
      "Task's `max_completion_time` must be non-negative",
    ],
    ['a check of no type', { check: {} }, "Task uses invalid check: CheckInfo must specify 'type'"],
    [
      'a check of an unknown type',
      { check: { type: 'UNKNOWN' } },
      "Task uses invalid check: 'UNKNOWN' is not a valid check type",
    ],
    [
      'a check without its command',
      { check: { type: 'COMMAND' } },
      "Task uses invalid check: Expecting 'command' to be set for COMMAND check",
    ],
    [
      'a check with an empty command',
      { check: { type: 'COMMAND', command: { command: {} } } },
      "Task uses invalid check: Command check must contain 'shell command'",
    ],
    [
      'a check of a path that is none',
      { check: { type: 'HTTP', http: { port: 80, path: 'health' } } },
      "Task uses invalid check: The path 'health' of HTTP check must start with '/'",
    ],
    [
      'a check with negative seconds',
      { check: { type: 'TCP', tcp: { port: 80 }, interval_seconds: -1 } },
      "Task uses invalid check: Expecting 'interval_seconds' to be non-negative",
    ],
    [
      'a health check of no type',
      { health_check: {} },
      "Task uses invalid health check: HealthCheck must specify 'type'",
    ],
    [
      'a health check without its program',
      { health_check: { type: 'COMMAND', command: { shell: false } } },
      "Task uses invalid health check: Command health check must contain 'executable path'",
    ],
    [
      'a health check without its port',
      { health_check: { type: 'TCP' } },
      "Task uses invalid health check: Expecting 'tcp' to be set for TCP health check",
    ],
    [
      'a health check over gopher',
      { health_check: { type: 'HTTP', http: { port: 70, scheme: 'gopher' } } },
      "Task uses invalid health check: Unsupported HTTP health check scheme: 'gopher'",
    ],
    [
      'a health check with negative seconds',
      { health_check: { type: 'TCP', tcp: { port: 80 }, grace_period_seconds: -1 } },
      "Task uses invalid health check: Expecting 'grace_period_seconds' to be non-negative",
    ],
    [
      'half a GPU',
      { resources: marked('gpus:0.5') },
      "Task uses invalid resources: The 'gpus' resource must be an unsigned integer",
    ],
    [
      'ports from high to low',
      { resources: [ports({ begin: 31001, end: 31000 })] },
      'Task uses invalid resources: Invalid ranges resource: begin > end',
    ],
    [
      'a port twice',
      { resources: [ports({ begin: 31000, end: 31001 }, { begin: 31001, end: 31002 })] },
      'Task uses invalid resources: Invalid ranges resource: overlapping ranges',
    ],
    [
      'a volume twice',
      { resources: [volume('v'), volume('v')] },
      "Task uses duplicate persistence ID: Persistence ID 'v' is not unique",
    ],
    [
      'resources of two roles',
      { resources: [...marked('cpus:1'), ...allocateResources(parseResources('mem:1'), 'qa')] },
      "Invalid task resources: The resources have multiple allocation roles ('qa' and 'eng') but " +
        'only one allocation role is allowed',
    ],
    [
      'some CPUs that may be taken away and some that may not',
      { resources: [...marked('cpus:1'), ...revocable('cpus:1')] },
      'Task mixes revocable and non-revocable resources: Cannot use both revocable and ' +
        "non-revocable 'cpus' at the same time",
    ],
    [
      'a variable without a value',
      { command: variables({}) },
      "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a " +
        'value set',
    ],
    [
      'a secret variable that is none',
      { command: variables({ type: 'SECRET', value: 'x' }) },
      "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'SECRET' must have a " +
        'secret set',
    ],
    [
      'a secret that no environment can hold',
      {
        command: variables({ type: 'SECRET', secret: { type: 'VALUE', value: { data: 'AA==' } } }),
      },
      "Task's `CommandInfo` is invalid: Environment variable 'X' specifies a secret containing " +
        'null bytes, which is not allowed in the environment',
    ],
    [
      'a volume of no kind',
      { container: { type: 'MESOS', volumes: [{ mode: 'RW', container_path: 'data' }] } },
      "Task's `ContainerInfo` is invalid: Invalid volume: Only one of them should be set: " +
        "'host_path', 'image' and 'source'",
    ],
    [
      'a volume without its path',
      {
        container: {
          type: 'MESOS',
          volumes: [{ mode: 'RW', container_path: 'data', source: { type: 'SANDBOX_PATH' } }],
        },
      },
      "Task's `ContainerInfo` is invalid: Invalid volume: 'source.sandbox_path' is not set for " +
        'SANDBOX_PATH volume',
    ],
    [
      'a Docker container without an image',
      { container: { type: 'DOCKER' } },
      "Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed " +
        'ContainerInfo',
    ],
    [
      'a limit of its disk',
      { limits: { disk: { value: 10 } } },
      "Only cpus and mem may be included in a task's resource limits",
    ],
    [
      'a limit of CPUs below what it asks for',
      { limits: { cpus: { value: 0.5 } } },
      'The cpu limit must be greater than or equal to the cpu request',
    ],
    [
      'a limit of memory that it does not ask for',
      { resources: marked('cpus:1'), limits: { mem: { value: 64 } } },
      'When a memory limit is specified, a memory request must also be specified',
    ],
    [
      'no command and no executor',
      { command: undefined },
      'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present',
    ],
    [
      'the default executor',
      { command: undefined, executor: DEFAULT },
      "'ExecutorInfo.type' must be 'CUSTOM'",
    ],
    [
      'an executor with a negative grace period',
      withExecutor({ shutdown_grace_period: seconds(-1) }),
      "ExecutorInfo's 'shutdown_grace_period' must be non-negative",
    ],
    [
      'an executor with a variable without a value',
      withExecutor({ command: variables({}) }),
      "Executor's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a " +
        'value set',
    ],
    [
      'an executor that shares its disk',
      withExecutor({ resources: [{ ...volume('v'), shared: {} }] }),
      'Executor resources disk(allocated: eng)(reservations: [(DYNAMIC,eng)])[v:data]<SHARED>:10 ' +
        'should not contain any shared resources',
    ],
    [
      'an executor that has one of its ports',
      {
        ...withExecutor({ resources: [ports({ begin: 31000, end: 31000 })] }),
        resources: [ports({ begin: 31000, end: 31001 })],
      },
      'There are overlapping resources in the task resources ports(allocated: eng):[31000-31001] ' +
        'and executor resources ports(allocated: eng):[31000-31000]',
    ],
    [
      'an executor that has its volume',
      { ...withExecutor({ resources: [volume('v')] }), resources: [volume('v')] },
      "Task and its executor use duplicate persistence ID: Persistence ID 'v' is not unique",
    ],
    [
      'cgroups of its own',
      { container: ownCgroups },
      "Only tasks in a task group may have 'share_cgroups' set to 'false'",
    ],
  ])('with %s is not', (_what, change, problem) => {
    expect(problemOf(change)).toBe(problem);
  });

  it('is in order just when its ports are in order, each named once, and offered', () => {
    const port = fc.integer({ min: 30_995, max: 31_010 });
    const range = fc.record({ begin: port, end: port });
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 4 }), (ranges) => {
        const named = ranges.flatMap(({ begin, end }) => numbers(begin, end));
        const isFine =
          ranges.every(({ begin, end }) => begin <= end) &&
          new Set(named).size === named.length &&
          named.every((each) => each >= 31_000);
        expect(problemOf({ resources: [ports(...ranges)] }) === undefined).toBe(isFine);
      }),
    );
  });
});

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

describe('parts', () => {
  it('overlap just when a port is in two of them', () => {
    const port = fc.integer({ min: 1, max: 20 });
    const range = fc
      .tuple(port, port)
      .map(([a, b]) => ({ begin: Math.min(a, b), end: Math.max(a, b) }));
    const part = fc.array(
      range.map((one) => ports(one)),
      { maxLength: 2 },
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 3 }), (parts) => {
        const named = parts.flatMap((resources) => [
          ...new Set(
            resources.flatMap(({ ranges }) =>
              (ranges?.range ?? []).flatMap(({ begin, end }) => numbers(begin, end)),
            ),
          ),
        ]);
        expect(haveOverlap(parts)).toBe(new Set(named).size < named.length);
      }),
    );
  });
});

function numbers(begin: number, end: number): readonly number[] {
  return Array.from({ length: Math.max(0, end - begin + 1) }, (_, index) => begin + index);
}
