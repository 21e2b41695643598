import { describe, expect, it } from 'vitest';
import { allocateResources, parseResources, type TaskInfo } from '../../protocol/index.ts';
import {
  CONTEXT,
  marked,
  ports,
  revocable,
  TASK,
  variables,
  volume,
} from '../testing/launch-fixtures.ts';
import { taskProblem } from './task.ts';

const seconds = (nanoseconds: number) => ({ nanoseconds });

describe('a task', () => {
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
  ])('with %s is not in order', (_what, change, problem) => {
    expect(taskProblem({ ...TASK, ...change }, CONTEXT)).toBe(problem);
  });
});
