import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutorInfo, Offer, TaskInfo } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { openTarget, type Target } from './support/target.ts';
import { allocated, commandTask, executorTask, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

interface Case<Made> {
  readonly with: string;
  readonly made: (offer: Offer) => Made;
  /** Part of what the framework is told. */
  readonly message: string;
}

function command(offer: Offer, change: Partial<TaskInfo>): TaskInfo {
  return { ...commandTask(offer, 'true'), ...change };
}

const ALONE: readonly Case<TaskInfo>[] = [
  {
    with: 'a negative grace period',
    made: (offer) => command(offer, { kill_policy: { grace_period: { nanoseconds: -1 } } }),
    message: "Task's 'kill_policy.grace_period' must be non-negative",
  },
  {
    with: 'a check without its command',
    made: (offer) => command(offer, { check: { type: 'COMMAND' } }),
    message: "Task uses invalid check: Expecting 'command' to be set for COMMAND check",
  },
  {
    with: 'a health check with negative seconds',
    made: (offer) =>
      command(offer, { health_check: { type: 'TCP', tcp: { port: 80 }, timeout_seconds: -1 } }),
    message: "Task uses invalid health check: Expecting 'timeout_seconds' to be non-negative",
  },
  {
    with: 'half a GPU',
    made: (offer) => command(offer, { resources: allocated(offer, 'cpus:0.1;gpus:0.5') }),
    message: "The 'gpus' resource must be an unsigned integer",
  },
  {
    with: 'a variable without a value',
    made: (offer) => {
      const environment = { variables: [{ name: 'X' }] };
      return command(offer, { command: { value: 'true', environment } });
    },
    message:
      "Task's `CommandInfo` is invalid: Environment variable 'X' of type 'VALUE' must have a " +
      'value set',
  },
  {
    with: 'a limit below what it asks for',
    made: (offer) => command(offer, { limits: { cpus: { value: 0.01 } } }),
    message: 'The cpu limit must be greater than or equal to the cpu request',
  },
  {
    with: 'cgroups of its own',
    made: (offer) =>
      command(offer, { container: { type: 'MESOS', linux_info: { share_cgroups: false } } }),
    message: "Only tasks in a task group may have 'share_cgroups' set to 'false'",
  },
  {
    with: 'a port that its executor has, too',
    made: (offer) => {
      const task = executorTask(offer, uniqueId('executor'));
      const ports = allocated(offer, 'ports:[31000-31000]');
      const executor = task.executor && { ...task.executor, resources: ports };
      return { ...task, executor, resources: ports };
    },
    message: 'There are overlapping resources in the task resources',
  },
];

interface Group {
  readonly executor: ExecutorInfo;
  readonly tasks: readonly TaskInfo[];
}

function group(offer: Offer, executor: Partial<ExecutorInfo> = {}, resources?: string): Group {
  const change = resources === undefined ? {} : { resources: allocated(offer, resources) };
  return {
    executor: {
      type: 'DEFAULT',
      executor_id: { value: uniqueId('default') },
      resources: allocated(offer, 'cpus:0.1;mem:32;disk:10'),
      ...executor,
    },
    tasks: [command(offer, change), command(offer, change)],
  };
}

const GROUPS: readonly Case<Group>[] = [
  {
    with: 'an executor of no type',
    made: (offer) => group(offer, { type: undefined }),
    message: "'ExecutorInfo.type' must be set",
  },
  {
    with: 'an executor without a disk',
    made: (offer) => group(offer, { resources: allocated(offer, 'cpus:0.1;mem:32') }),
    message: 'uses no disk',
  },
  {
    with: 'an executor without CPUs',
    made: (offer) => group(offer, { resources: allocated(offer, 'mem:32;disk:10') }),
    message: 'uses less CPUs (None) than the minimum required (0.01)',
  },
  {
    with: 'a port that two tasks have',
    made: (offer) => group(offer, {}, 'cpus:0.1;mem:32;ports:[31000-31000]'),
    message: "There are overlapping resources in the task group's task resources",
  },
];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('a launch in %s', (encoding) => {
  let framework: RawFramework;
  beforeEach(async () => {
    framework = await RawFramework.subscribe(target.master, encoding);
  });
  afterEach(() => framework.teardown());

  async function launchGroup(offer: Offer, { executor, tasks }: Group): Promise<void> {
    const launch_group = { executor, task_group: { tasks } };
    const operations = [{ type: 'LAUNCH_GROUP' as const, launch_group }];
    const accept = { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } };
    await framework.call({ type: 'ACCEPT', accept });
  }

  it.each(ALONE)('of a task with $with is a TASK_ERROR', async ({ made, message }) => {
    const offer = await framework.offer(isRoomy);
    const task = made(offer);
    await framework.launch(offer, task);
    expect(await framework.status(task.task_id.value, 'TASK_ERROR')).toMatchObject({
      ...{ source: 'SOURCE_MASTER', reason: 'REASON_TASK_INVALID' },
      message: expect.stringContaining(message),
    });
  });

  it.each(GROUPS)('of a group with $with is a TASK_ERROR of each', async ({ made, message }) => {
    const offer = await framework.offer(isRoomy);
    const wrong = made(offer);
    await launchGroup(offer, wrong);
    for (const { task_id } of wrong.tasks) {
      expect(await framework.status(task_id.value, 'TASK_ERROR')).toMatchObject({
        ...{ source: 'SOURCE_MASTER', reason: 'REASON_TASK_GROUP_INVALID' },
        message: expect.stringContaining(message),
      });
    }
  });
});
