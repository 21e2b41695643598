import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskInfo } from '../protocol/index.ts';
import { launchProblem } from './launch.ts';
import {
  CONTEXT,
  DEFAULT,
  marked,
  numbers,
  ownCgroups,
  ports,
  sharedCgroups,
  TASK,
  variables,
  volume,
  withExecutor,
} from './testing/launch-fixtures.ts';

function problemOf(change: Partial<TaskInfo>): string | undefined {
  return launchProblem({ ...TASK, ...change }, CONTEXT);
}

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
      withExecutor({ shutdown_grace_period: { nanoseconds: -1 } }),
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
