import { afterEach, describe, expect, it } from 'vitest';
import { runTasks, tinyExecutor } from './testing/scenario.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

const EXECUTOR = tinyExecutor();
const SETTINGS = { executorReregistrationTimeoutMs: 5000, statusUpdateRetryMinMs: 500 };

let world: SimulatedWorld;

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

/** What a master (or framework) does about tasks that an agent does not know: launch again. */
function relaunchUnknown(...ids: readonly string[]): void {
  const known = world.master.subscriptions.at(-1)?.tasks.map((task) => task.task_id.value) ?? [];
  const unknown = ids.filter((id) => !known.includes(id) && world.updatesOf(id).length === 0);
  if (unknown.length > 0) world.master.send(runTasks(EXECUTOR, ...unknown));
}

function distinctStates(taskId: string): readonly (string | undefined)[] {
  return [...new Set(world.updatesOf(taskId))];
}

describe('an agent that comes back', () => {
  it('has its tasks, and the updates that came while it was away', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.send(runTasks(EXECUTOR, 'a', 'b'));
    await world.clock.run(1000);
    await world.crashAgent();
    world.executors[0]?.update('a', 'TASK_FINISHED');
    await world.clock.run(5000);
    await world.startAgent();
    await world.clock.run(3000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FINISHED']);
    expect(world.updatesOf('b')).toEqual(['TASK_RUNNING']);
    expect(world.executors).toHaveLength(1);
    expect(world.executors[0]?.launched).toEqual(['a', 'b']);
  });

  it('forwards what the framework had not acknowledged', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.autoAcknowledge = false;
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.executors[0]?.update('a', 'TASK_FINISHED');
    await world.clock.run(1000);
    await world.crashAgent();
    world.executors[0]?.exit(0);
    world.master.autoAcknowledge = true;
    await world.startAgent();
    await world.clock.run(3000);
    expect(world.master.subscriptions.at(-1)?.tasks).toMatchObject([{ state: 'TASK_FINISHED' }]);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FINISHED']);
    // All is acknowledged: the framework is forgotten, here and on the disk.
    await world.crashAgent();
    await world.startAgent();
    await world.clock.run(1000);
    expect(world.master.subscriptions.at(-1)).toMatchObject({ frameworks: [], tasks: [] });
  });

  it('ends the tasks of an executor that died meanwhile', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    await world.crashAgent();
    world.executors[0]?.exit(9);
    await world.startAgent();
    await world.clock.run(1000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    const exits = world.master.calls.filter((call) => call.type === 'EXECUTOR_EXITED');
    expect(exits).toMatchObject([{ status: 9 }]);
  });

  it('kills an executor that does not come back to it in time', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    await world.crashAgent();
    world.network.cut('executor-0', 'http://agent-1:5051');
    await world.startAgent();
    await world.clock.run(4500);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING']);
    await world.clock.run(1500);
    expect(world.master.updates.at(-1)).toMatchObject({
      state: 'TASK_FAILED',
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
      message: 'Executor did not reregister within 5secs',
    });
    expect(world.host.running.size).toBe(0);
  });

  it('carries out a kill that its executor never heard of', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.network.cut('executor-0', 'http://agent-1:5051');
    world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
    await world.clock.run(1000);
    await world.crashAgent();
    world.network.heal();
    await world.startAgent();
    await world.clock.run(3000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
  });

  it('forgets everything when it is told to clean up', async () => {
    world = await createWorld({ settings: SETTINGS });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    await world.crashAgent();
    await world.cleanUp();
    expect(world.host.running.size).toBe(0);
    await world.startAgent();
    await world.clock.run(1000);
    expect(world.master.subscriptions.at(-1)?.agent_info.id).toBeUndefined();
  });
});

describe('an agent that is killed at a commit', () => {
  const commitsOfScenario = 12;
  const points = Array.from({ length: commitsOfScenario }, (_, index) => index + 1).flatMap(
    (count) => [
      { count, isApplied: false },
      { count, isApplied: true },
    ],
  );

  it.each(points)('number $count (on the disk: $isApplied) goes on where it was', async (death) => {
    world = await createWorld({ settings: SETTINGS });
    const before = world.commits.count;
    world.commits.deathAt = { ...death, count: before + death.count };
    const scenario = async (): Promise<void> => {
      world.master.send(runTasks(EXECUTOR, 'a', 'b'));
      await world.clock.run(1000);
      world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
      await world.clock.run(1000);
    };
    await scenario();
    expect(world.commits.count - before).toBeGreaterThanOrEqual(Math.min(death.count, 5));
    // The second time, too: points beyond those of the scenario are in the recovery itself.
    for (let life = 0; life < 2; life += 1) {
      await world.crashAgent();
      await world.startAgent();
      await world.clock.run(2000);
    }
    expect(world.commits.count - before).toBeGreaterThanOrEqual(death.count);
    relaunchUnknown('a', 'b');
    await world.clock.run(2000);
    if (!world.updatesOf('a').includes('TASK_KILLED')) {
      world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
    }
    await world.clock.run(5000);
    for (const executor of world.executors) {
      expect(new Set(executor.launched).size).toBe(executor.launched.length);
    }
    if (world.executors.length === 0) {
      // The pid is on the disk, but the executor behind it never began: that is a failed launch.
      expect(world.host.running.size).toBe(0);
      expect(distinctStates('b')).toEqual(['TASK_FAILED']);
      return;
    }
    // Nobody runs that the agent does not know, and nothing was done twice.
    expect(world.host.running.size).toBe(1);
    expect(distinctStates('a').at(-1)).toBe('TASK_KILLED');
    expect(distinctStates('b')).toEqual(['TASK_RUNNING']);
    // A last crash shows that memory and disk agree.
    await world.crashAgent();
    await world.startAgent();
    await world.clock.run(1000);
    const tasks = world.master.subscriptions.at(-1)?.tasks;
    expect(tasks).toMatchObject([{ task_id: { value: 'b' }, state: 'TASK_RUNNING' }]);
  });
});

describe('an agent on a bad network', () => {
  const seeds = Array.from({ length: 15 }, (_, index) => index + 1);

  it.each(seeds)('brings every update to the framework, in order (seed %i)', async (seed) => {
    const delayMs = [1, 200] as const;
    const faults = { dropRequest: 0.15, dropResponse: 0.15, duplicate: 0.15, delayMs };
    world = await createWorld({ seed, faults, settings: SETTINGS });
    const ids = Array.from({ length: 10 }, (_, index) => `task-${index}`);
    for (let round = 0; round < 40; round += 1) {
      relaunchUnknown(...ids);
      if (round === 15) {
        await world.crashAgent();
        await world.startAgent();
      }
      await world.clock.run(5000);
    }
    for (const id of ids) world.executors.at(-1)?.update(id, 'TASK_FINISHED');
    await world.clock.run(300_000);
    for (const id of ids) expect(world.updatesOf(id)).toEqual(['TASK_RUNNING', 'TASK_FINISHED']);
    expect(world.executors).toHaveLength(1);
    const { droppedRequests, droppedResponses, duplicates } = world.network.statistics;
    expect(Math.min(droppedRequests, droppedResponses, duplicates)).toBeGreaterThan(0);
    world.network.setFaults({ dropRequest: 0, dropResponse: 0, duplicate: 0, delayMs: [1, 1] });
    world.master.cut();
    await world.clock.run(60_000);
    expect(world.master.subscriptions.at(-1)?.tasks).toEqual([]);
  });
});
