import { afterEach, describe, expect, it } from 'vitest';
import type { ExecutorInfo, TaskInfo } from '../protocol/index.ts';
import { FRAMEWORK } from './testing/scenario.ts';
import { type ScriptedCommand, startScriptedCommand } from './testing/scripted-command.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

const EXECUTOR: ExecutorInfo = {
  type: 'DEFAULT',
  executor_id: { value: 'default-1' },
  resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } }],
};

let world: SimulatedWorld;
let containers: ScriptedCommand[];

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

async function start(): Promise<void> {
  containers = [];
  world = await createWorld({
    settings: { statusUpdateRetryMinMs: 500 },
    run: (request) => {
      const container = startScriptedCommand(request);
      containers.push(container);
      return container;
    },
  });
}

function launchGroup(...ids: readonly string[]): void {
  launchGroupOf(EXECUTOR, ...ids);
}

function launchGroupOf(executor: ExecutorInfo, ...ids: readonly string[]): void {
  const tasks = ids.map(
    (id): TaskInfo => ({
      ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' } },
      command: { value: `run ${id}` },
      resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }],
    }),
  );
  const group = { executor, tasks, task_group: { tasks } };
  world.master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, ...group });
}

function kill(taskId: string): void {
  world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: taskId });
}

function containerOf(taskId: string): ScriptedCommand | undefined {
  return containers.findLast(({ request }) => request.taskId === taskId);
}

/** The executor's own. */
function root(): ScriptedCommand | undefined {
  return containers.find(({ request }) => request.taskId === undefined);
}

function exits() {
  return world.master.calls.filter((call) => call.type === 'EXECUTOR_EXITED');
}

describe('a task group under the default executor', () => {
  it('runs in containers nested in that of the executor, and in sandboxes below its own', async () => {
    await start();
    launchGroup('a', 'b');
    await world.clock.run(1000);
    expect(containers).toHaveLength(3);
    const { containerId = '', directory } = root()?.request ?? {};
    const nested = containerOf('a')?.request;
    expect(nested).toMatchObject({
      parentContainerId: containerId,
      directory: `${directory}/containers/${nested?.containerId}`,
      environment: { MESOS_TASK_ID: 'a', MESOS_SANDBOX: nested?.directory },
    });
    const first = world.master.updates.find(({ task_id }) => task_id.value === 'a');
    expect(first).toMatchObject({
      executor_id: { value: 'default-1' },
      container_status: {
        container_id: { value: nested?.containerId, parent: { value: containerId } },
      },
    });
    for (const id of ['a', 'b']) {
      expect(world.updatesOf(id)).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
    }
  });

  it('ends with its last task, and the executor with it', async () => {
    await start();
    launchGroup('a', 'b');
    await world.clock.run(1000);
    containerOf('a')?.exit(0);
    await world.clock.run(1000);
    expect(world.updatesOf('b')).not.toContain('TASK_FINISHED');
    containerOf('b')?.exit(0);
    await world.clock.run(1000);
    expect(world.updatesOf('b').at(-1)).toBe('TASK_FINISHED');
    expect(exits()).toMatchObject([{ executor_id: 'default-1', status: 0 }]);
    expect(world.host.running.size).toBe(0);
  });

  it('dies when one of its tasks fails or is killed; other groups go on', async () => {
    await start();
    launchGroup('a', 'b');
    launchGroup('c');
    await world.clock.run(1000);
    containerOf('a')?.exit(1 << 8);
    await world.clock.run(1000);
    expect(world.updatesOf('a').at(-1)).toBe('TASK_FAILED');
    expect(world.updatesOf('b').at(-1)).toBe('TASK_KILLED');
    expect(world.updatesOf('c').at(-1)).toBe('TASK_RUNNING');
    kill('c');
    await world.clock.run(1000);
    expect(world.updatesOf('c').at(-1)).toBe('TASK_KILLED');
    expect(exits()).toHaveLength(1);
  });

  it('fails as a whole when the container of the executor is killed', async () => {
    await start();
    launchGroup('a', 'b');
    await world.clock.run(1000);
    root()?.exit(9);
    await world.clock.run(1000);
    for (const id of ['a', 'b']) expect(world.updatesOf(id).at(-1)).toBe('TASK_FAILED');
    expect(exits()).toMatchObject([{ status: 9 }]);
  });

  it('ends with its framework', async () => {
    await start();
    launchGroup('a', 'b');
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'framework-1' });
    await world.clock.run(10_000);
    expect(world.host.running.size).toBe(0);
  });
});

describe('a task group under a custom executor', () => {
  it('is the executor’s to run, whatever the commands of the tasks', async () => {
    await start();
    const command = { value: 'run the executor' };
    launchGroupOf({ ...EXECUTOR, type: 'CUSTOM', command }, 'a', 'b');
    await world.clock.run(1000);
    expect(containers.map(({ request }) => [request.taskId, request.command.value])).toEqual([
      [undefined, 'run the executor'],
    ]);
    expect(world.updatesOf('a')).toEqual([]);
  });
});

describe('a task group of an agent that is killed', () => {
  const points = Array.from({ length: 12 }, (_, index) => index + 1).flatMap((count) => [
    { count, isApplied: false },
    { count, isApplied: true },
  ]);

  it.each(points)(
    'at commit $count (on the disk: $isApplied) still shares one fate',
    async (death) => {
      await start();
      const before = world.commits.count;
      world.commits.deathAt = { ...death, count: before + death.count };
      launchGroup('a', 'b');
      await world.clock.run(1000);
      containerOf('a')?.exit(1 << 8);
      await world.clock.run(1000);
      for (let life = 0; life < 2; life += 1) {
        await world.crashAgent();
        await world.startAgent();
        await world.clock.run(2000);
      }
      containerOf('a')?.exit(1 << 8);
      await world.clock.run(10_000);
      for (const id of ['a', 'b']) {
        const runs = containers.filter(({ request }) => request.taskId === id);
        expect(runs.length).toBeLessThanOrEqual(1);
      }
      if (world.updatesOf('a').length > 0) {
        expect(world.updatesOf('a').at(-1)).toBe('TASK_FAILED');
        expect(['TASK_KILLED', 'TASK_FAILED']).toContain(world.updatesOf('b').at(-1));
      }
      expect(world.host.running.size).toBe(0);
      await world.crashAgent();
      await world.startAgent();
      await world.clock.run(1000);
      expect(world.master.subscriptions.at(-1)).toMatchObject({ frameworks: [], tasks: [] });
    },
  );
});
