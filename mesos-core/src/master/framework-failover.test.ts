import { afterEach, describe, expect, it } from 'vitest';
import { failoverWaitMs } from './failover-wait.ts';
import { FRAMEWORK, launch, taskOn, World } from './testing/world.ts';

let world: World;

async function closeWorld(): Promise<void> {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
}

async function restartMaster(): Promise<void> {
  await world.stopMaster();
  await world.startMaster();
}

describe('a framework without a failover timeout', () => {
  const { failover_timeout: _, ...info } = FRAMEWORK;
  afterEach(closeWorld);

  async function running() {
    world = new World();
    await world.startMaster();
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler', info);
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    const lastOfExecutor = () => agent.executors[0]?.events.at(-1)?.type;
    return { scheduler, lastOfExecutor };
  }

  it('finds its tasks again with a master that has started again', async () => {
    const { scheduler, lastOfExecutor } = await running();
    const { id } = scheduler;
    await restartMaster();
    await world.run(700_000);
    expect(scheduler.failure).toBeUndefined();
    expect(scheduler.client.state).toBe('subscribed');
    expect(scheduler.id).toBe(id);
    expect(lastOfExecutor()).not.toBe('SHUTDOWN');
  });

  it('ends with its connection to that master', async () => {
    const { scheduler, lastOfExecutor } = await running();
    await restartMaster();
    await world.run(30_000);
    await Promise.all([scheduler.client.stop(), world.run(1000)]);
    expect(lastOfExecutor()).toBe('SHUTDOWN');
  });

  it('ends when it is not back once agents had their time', async () => {
    const { scheduler, lastOfExecutor } = await running();
    await world.stopMaster();
    await Promise.all([scheduler.client.stop(), world.run(1000)]);
    await world.startMaster();
    await world.run(590_000);
    expect(lastOfExecutor()).not.toBe('SHUTDOWN');
    await world.run(15_000);
    expect(lastOfExecutor()).toBe('SHUTDOWN');
  });
});

describe('where groups of frameworks are isolated', () => {
  const inGroup = (value: string) => ({
    ...FRAMEWORK,
    labels: { labels: [{ key: 'group', value }] },
  });
  afterEach(closeWorld);

  it('an agent stays with its group while its scheduler is away after a failover', async () => {
    world = new World({ settings: { frameworkGroupLabel: 'group' } });
    await world.startMaster();
    await world.startAgent('agent-1');
    const red = await world.startScheduler('red', inGroup('red'));
    await world.call(red, launch(red.offer, taskOn(red.offer, 'a')));
    expect(red.updates('a')).toEqual(['TASK_RUNNING']);
    await Promise.all([red.client.stop(), world.run(1000)]);
    await restartMaster();
    await world.run(30_000);
    const blue = await world.startScheduler('blue', inGroup('blue'));
    const nobody = await world.startScheduler('nobody');
    await world.run(30_000);
    expect(blue.offers).toEqual([]);
    expect(nobody.offers).toEqual([]);
    const alsoRed = await world.startScheduler('also-red', inGroup('red'));
    expect(alsoRed.offers).toHaveLength(1);
  });
});

describe('how long a new master waits for a framework', () => {
  it.each([
    ['as long as agents have, when it names no time', 0, 600_000],
    ['as long as it says', 60, 60_000],
    ['as long as it says, if that is longer than agents have', 3600, 3_600_000],
    ['long enough to find the master, when it says less', 0.5, 10_000],
  ])('is %s', (_, seconds, waitMs) => {
    expect(failoverWaitMs(seconds, { agentReregisterTimeoutMs: 600_000 })).toBe(waitMs);
  });
});
