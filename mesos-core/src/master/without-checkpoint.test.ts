import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FrameworkInfo, scalarQuantities, type Task } from '../protocol/index.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { FRAMEWORK, launch, type TestScheduler, taskOn, World } from './testing/world.ts';

const { checkpoint: _, ...WITHOUT_CHECKPOINT } = FRAMEWORK;
const ENDED = 'TASK_GONE REASON_AGENT_DISCONNECTED';

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});

afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

async function runTask(info: FrameworkInfo): Promise<TestScheduler> {
  const scheduler = await world.startScheduler('scheduler', info);
  await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
  return scheduler;
}

describe('when the connection of an agent breaks, a task of a framework that does not checkpoint', () => {
  it('is over at once', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await runTask(WITHOUT_CHECKPOINT);
    await agent.crash();
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', ENDED]);
    expect(scheduler.statuses('a').at(-1)).toMatchObject({
      source: 'SOURCE_MASTER',
      message: 'Agent agent-1 disconnected',
      agent_id: { value: agent.agent.agentId },
    });
  });

  it('is TASK_LOST to one that does not know of partitions', async () => {
    const agent = await world.startAgent('agent-1');
    const capabilities = [{ type: 'MULTI_ROLE' as const }];
    const scheduler = await runTask({ ...WITHOUT_CHECKPOINT, capabilities });
    await agent.crash();
    expect(scheduler.updates('a').at(-1)).toBe('TASK_LOST REASON_AGENT_DISCONNECTED');
  });

  it('is told of once, and all is offered again when the agent is back', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await runTask(WITHOUT_CHECKPOINT);
    await agent.crash();
    await agent.restart();
    await world.run(5000);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', ENDED]);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
  });

  it('is none of the business of frameworks that checkpoint', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await runTask(FRAMEWORK);
    await agent.crash();
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
  });
});

describe('an agent that was only cut off', () => {
  /** Subscribes again with a task that it still runs. */
  async function comeBack(fake: FakeAgent, task: Partial<Task>): Promise<void> {
    const launched = fake.of('RUN_TASKS')[0];
    if (launched === undefined) throw new Error('Nothing was launched');
    const { framework } = launched;
    fake.describe = {
      ...fake.describe,
      agent_info: { ...fake.describe.agent_info, id: { value: fake.id } },
      frameworks: [framework],
      tasks: [
        {
          ...{ name: 'a', task_id: { value: 'a' }, agent_id: { value: fake.id }, resources: [] },
          ...{ framework_id: { value: framework.id?.value ?? '' }, state: 'TASK_RUNNING' },
          ...task,
        },
      ],
    };
    void fake.subscribe();
    await world.run(20);
  }

  it.each([
    ['the executor', { executor_id: { value: 'executor-1' } }, 'executor-1'],
    ['the executor of a command, which has the task’s id,', {}, 'a'],
  ])('has %s of such a task to end when it is back', async (_what, task, executor_id) => {
    const fake = new FakeAgent(world.network.transport('fake'), 'http://master:5050');
    void fake.subscribe();
    await world.run(20);
    const scheduler = await runTask(WITHOUT_CHECKPOINT);
    fake.cut();
    await world.run(20);
    expect(scheduler.updates('a')).toEqual([ENDED]);
    await comeBack(fake, task);
    expect(fake.of('SHUTDOWN_EXECUTOR')).toMatchObject([
      { framework_id: scheduler.id, executor_id },
    ]);
    fake.cut();
    await comeBack(fake, task);
    expect(fake.of('SHUTDOWN_EXECUTOR')).toHaveLength(2);
  });

  it('keeps what frameworks that checkpoint run', async () => {
    const fake = new FakeAgent(world.network.transport('fake'), 'http://master:5050');
    void fake.subscribe();
    await world.run(20);
    await runTask(FRAMEWORK);
    fake.cut();
    await world.run(20);
    await comeBack(fake, {});
    expect(fake.of('SHUTDOWN_EXECUTOR')).toEqual([]);
  });
});
