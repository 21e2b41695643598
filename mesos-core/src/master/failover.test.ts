import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scalarQuantities } from '../protocol/index.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import { operatorCall } from './testing/operator.ts';
import {
  FRAMEWORK,
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  World,
} from './testing/world.ts';

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});

afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

/** An agent with one task that runs. */
async function running(info = FRAMEWORK): Promise<{ agent: TestAgent; scheduler: TestScheduler }> {
  const agent = await world.startAgent('agent-1');
  const scheduler = await world.startScheduler('scheduler', info);
  await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
  expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
  return { agent, scheduler };
}

describe('an agent', () => {
  it('that loses its connection loses its offers, until it is back', async () => {
    const { agent, scheduler } = await running();
    await agent.crash();
    expect(scheduler.of('RESCIND').at(-1)?.rescind.offer_id).toEqual(scheduler.offer.id);
    const before = scheduler.offers.length;
    await world.run(30_000);
    expect(scheduler.offers).toHaveLength(before);
    await agent.restart();
    expect(scheduler.offers).toHaveLength(before + 1);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    await world.call(scheduler, { type: 'KILL', kill: { task_id: { value: 'a' } } });
    await world.run(1000);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
  });

  it('that stays silent is unreachable; its tasks run again when it is back', async () => {
    const { agent, scheduler } = await running();
    world.network.cut(agent.origin, 'http://master:5050');
    await world.run(70_000);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    await world.run(15_000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNREACHABLE REASON_AGENT_REMOVED');
    expect(scheduler.statuses('a').at(-1)).toMatchObject({
      source: 'SOURCE_MASTER',
      message: 'Agent agent-1 is unreachable: health check timed out',
      unreachable_time: { nanoseconds: expect.any(Number) },
    });
    expect(scheduler.of('FAILURE')).toEqual([
      { type: 'FAILURE', failure: { agent_id: scheduler.offer.agent_id } },
    ]);
    await world.call(scheduler, {
      type: 'RECONCILE',
      reconcile: { tasks: [{ task_id: { value: 'a' } }] },
    });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNREACHABLE REASON_RECONCILIATION');
    const tasks = await operatorCall(world, { type: 'GET_TASKS' });
    expect(tasks.json().get_tasks.unreachable_tasks).toMatchObject([{ state: 'TASK_UNREACHABLE' }]);
    world.network.heal();
    await world.run(60_000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING REASON_AGENT_REREGISTERED');
    expect(agent.executors).toHaveLength(1);
  });

  it('that is unreachable means TASK_LOST to frameworks that do not know of partitions', async () => {
    const capabilities = [
      { type: 'MULTI_ROLE' as const },
      { type: 'RESERVATION_REFINEMENT' as const },
    ];
    const { agent, scheduler } = await running({ ...FRAMEWORK, capabilities });
    world.network.cut(agent.origin, 'http://master:5050');
    await world.run(85_000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_LOST REASON_AGENT_REMOVED');
  });

  it('that was replaced means TASK_LOST to those that do not know of partitions', async () => {
    const capabilities = [{ type: 'MULTI_ROLE' as const }];
    const { agent, scheduler } = await running({ ...FRAMEWORK, capabilities });
    await agent.crash();
    await world.startAgent('agent-1');
    expect(scheduler.updates('a').at(-1)).toBe('TASK_LOST REASON_AGENT_REMOVED');
    const metrics = await world.master.app.inject('/metrics/snapshot');
    expect(metrics.json()).toMatchObject({
      ...{ 'master/slave_removals': 1, 'master/slave_removals/reason_registered': 1 },
      ...{ 'master/slave_removals/reason_unhealthy': 0, 'master/slaves_unreachable': 0 },
    });
  });

  it('hears a KILL that was made while it was away', async () => {
    const { agent, scheduler } = await running();
    await agent.crash();
    await world.call(scheduler, { type: 'KILL', kill: { task_id: { value: 'a' } } });
    await agent.restart();
    await world.run(2000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_KILLED');
  });

  it('that unregisters ends its executors; its tasks are gone, and nobody waits for it', async () => {
    const { agent, scheduler } = await running();
    const left = agent.agent.leave();
    await world.run(10_000);
    await left;
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', 'TASK_GONE REASON_AGENT_REMOVED']);
    expect(scheduler.statuses('a').at(-1)?.message).toBe(
      'Agent agent-1 removed: the agent unregistered',
    );
    const tasks = [{ task_id: { value: 'a' }, agent_id: scheduler.offer.agent_id }];
    await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks } });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNKNOWN REASON_RECONCILIATION');
    // Started again it comes back as itself, empty.
    await agent.crash();
    await agent.restart();
    await world.run(2000);
    expect(agent.agent.agentId).toBe(scheduler.offer.agent_id.value);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
  });

  it('without memory replaces the one that was at its address, whose tasks are gone', async () => {
    const { agent, scheduler } = await running();
    await agent.crash();
    await world.startAgent('agent-1');
    expect(scheduler.updates('a').at(-1)).toBe('TASK_GONE REASON_AGENT_REMOVED');
    expect(scheduler.statuses('a').at(-1)?.message).toBe(
      'Agent agent-1 removed: a new agent registered at the same address',
    );
    const tasks = [{ task_id: { value: 'a' }, agent_id: { value: agent.agent.agentId ?? '' } }];
    await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks } });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNKNOWN REASON_RECONCILIATION');
    const ids = new Set(scheduler.offers.map(({ agent_id }) => agent_id.value.slice(-3)));
    expect([...ids]).toEqual(['-S0', '-S1']);
  });
});

describe('what a subscription says is settled with what the master knows', () => {
  async function fakeAgent(): Promise<FakeAgent> {
    const fake = new FakeAgent(world.network.transport('fake'), 'http://master:5050');
    void fake.subscribe();
    await world.run(20);
    return fake;
  }

  it('a launch that was lost on its way is TASK_DROPPED', async () => {
    const fake = await fakeAgent();
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    expect(fake.of('RUN_TASKS')).toHaveLength(1);
    // It never saw that, and subscribes with empty hands.
    fake.cut();
    await world.run(20);
    fake.describe = {
      ...fake.describe,
      agent_info: { ...fake.describe.agent_info, id: { value: fake.id } },
    };
    void fake.subscribe();
    await world.run(20);
    expect(scheduler.updates('a')).toEqual(['TASK_DROPPED REASON_RECONCILIATION']);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
  });

  it('what belongs to a framework that was removed is shut down', async () => {
    const { agent, scheduler } = await running();
    world.network.cut(agent.origin, 'http://master:5050');
    await world.run(10);
    await world.call(scheduler, { type: 'TEARDOWN' });
    await world.run(100_000);
    expect(agent.executors[0]?.events.at(-1)?.type).not.toBe('SHUTDOWN');
    world.network.heal();
    await world.run(60_000);
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
  });

  it('calls of an agent that is not known are refused, so that it subscribes', async () => {
    const fake = await fakeAgent();
    const sent = fake.send({ type: 'HEARTBEAT', agent_id: 'nobody' });
    await world.run(20);
    expect((await sent).status).toBe(403);
  });

  it('updates that are repeated are told again and change nothing', async () => {
    const fake = await fakeAgent();
    const scheduler = await world.startScheduler('scheduler');
    scheduler.acknowledges = false;
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    const status = {
      task_id: { value: 'a' },
      state: 'TASK_FINISHED' as const,
      uuid: Buffer.alloc(16, 1).toString('base64'),
      data: 'aGk=',
    };
    const update = {
      type: 'UPDATE' as const,
      ...{ agent_id: fake.id, framework_id: scheduler.id, status },
      latest_state: status.state,
    };
    for (let times = 0; times < 3; times += 1) void fake.send(update);
    await world.run(20);
    expect(scheduler.updates('a')).toEqual(Array(3).fill('TASK_FINISHED'));
    expect(scheduler.statuses('a')[2]?.data).toBe('aGk=');
    const answer = await operatorCall(world, { type: 'GET_TASKS' });
    const [task] = answer.json().get_tasks.tasks;
    expect(task.statuses).toHaveLength(1);
    expect(task.statuses[0].data).toBeUndefined();
  });
});

describe('what an executor took', () => {
  /** Everything that is free, as the scheduler is offered it. */
  async function free(scheduler: TestScheduler) {
    const offer_ids = scheduler.offers.map(({ id }) => id);
    await world.call(scheduler, { type: 'DECLINE', decline: { offer_ids } });
    await world.call(scheduler, { type: 'REVIVE' });
    return scalarQuantities(scheduler.offer.resources ?? []);
  }

  it('is not taken again by one that is over, although the end of its task waits', async () => {
    const { agent, scheduler } = await running();
    scheduler.acknowledges = false;
    agent.executors[0]?.exit(9);
    await world.run(100);
    await agent.crash();
    await agent.restart();
    expect(scheduler.updates('a').at(-1)).toBe('TASK_FAILED REASON_EXECUTOR_TERMINATED');
    expect(await free(scheduler)).toEqual({ cpus: 8, mem: 8192 });
  });

  it('is free again when the agent refuses to begin it', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const task = taskOn(scheduler.offer, 'a');
    const command = { value: 'executor', uris: [{ value: 'http://far/away' }] };
    const executor = task.executor && { ...task.executor, command };
    await world.call(scheduler, launch(scheduler.offer, { ...task, executor }));
    expect(scheduler.updates('a')).toEqual(['TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED']);
    expect(await free(scheduler)).toEqual({ cpus: 8, mem: 8192 });
  });

  it('stays taken by the next run when the end of the last is told twice', async () => {
    const fake = new FakeAgent(world.network.transport('fake'), 'http://master:5050');
    void fake.subscribe();
    await world.run(20);
    const scheduler = await world.startScheduler('scheduler');
    const exit = {
      type: 'EXECUTOR_EXITED' as const,
      ...{ agent_id: fake.id, framework_id: scheduler.id, executor_id: 'executor-1' },
      ...{ container_id: 'first', status: 9 },
    };
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    void fake.send(exit);
    expect(await free(scheduler)).toEqual({ cpus: 7, mem: 8192 - 128 });
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'b')));
    void fake.send(exit);
    await world.run(20);
    expect(scheduler.of('FAILURE')).toHaveLength(1);
    expect(await free(scheduler)).toEqual({ cpus: 8 - 2.1, mem: 8192 - 256 - 32 });
    void fake.send({ ...exit, container_id: 'second' });
    await world.run(20);
    expect(scheduler.of('FAILURE')).toHaveLength(2);
  });
});

describe('updates that nobody has acknowledged', () => {
  it('come at once when the scheduler is back', async () => {
    const { agent, scheduler } = await running();
    const { id } = scheduler;
    await Promise.all([scheduler.client.stop(), world.run(10)]);
    agent.executors[0]?.update('a', 'TASK_FINISHED');
    // Long enough for the pauses between retries to have become minutes.
    await world.run(1_500_000);
    const back = await world.startScheduler('back', { ...FRAMEWORK, id: { value: id } });
    expect(back.updates('a')).toEqual(['TASK_FINISHED']);
  });
});

describe('a master that starts again on its registry', () => {
  it('finds agents, tasks and frameworks again, under their old ids', async () => {
    const { agent, scheduler } = await running();
    const { id } = scheduler;
    const agentId = agent.agent.agentId;
    const offers = scheduler.offers.map((offer) => offer.id.value);
    await world.stopMaster();
    await world.startMaster();
    await world.run(30_000);
    expect(scheduler.client.state).toBe('subscribed');
    expect(scheduler.id).toBe(id);
    expect(agent.agent.agentId).toBe(agentId);
    // Offers of the earlier life can't be mistaken for new ones.
    expect(offers).not.toContain(scheduler.offer.id.value);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({
      cpus: 8 - 1.1,
      mem: 8192 - 160,
    });
    await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks: [] } });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING REASON_RECONCILIATION');
    await world.call(scheduler, { type: 'KILL', kill: { task_id: { value: 'a' } } });
    await world.run(1000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_KILLED');
  });

  it('says nothing of tasks on agents that it expects back, then that they are lost', async () => {
    const { agent, scheduler } = await running();
    await agent.crash();
    await world.stopMaster();
    await world.startMaster();
    await world.run(30_000);
    const reconcile = () =>
      world.call(scheduler, {
        type: 'RECONCILE',
        reconcile: { tasks: [{ task_id: { value: 'a' }, agent_id: scheduler.offer.agent_id }] },
      });
    await reconcile();
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    await world.run(600_000);
    await reconcile();
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNREACHABLE REASON_RECONCILIATION');
    await agent.restart();
    await world.run(10_000);
    await reconcile();
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING REASON_RECONCILIATION');
  });

  it('keeps the failover timeout of a framework that went while no master was there', async () => {
    const { agent, scheduler } = await running({ ...FRAMEWORK, failover_timeout: 60 });
    await world.stopMaster();
    await Promise.all([scheduler.client.stop(), world.run(1000)]);
    await world.startMaster();
    await world.run(50_000);
    expect(agent.executors[0]?.events.at(-1)?.type).not.toBe('SHUTDOWN');
    await world.run(15_000);
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
    const back = await world.startScheduler('back', { ...FRAMEWORK, id: { value: scheduler.id } });
    expect(back.failure).toMatchObject({ message: 'Framework has been removed' });
  });

  it('does not give ids again', async () => {
    const first = await world.startScheduler('first');
    await world.startAgent('agent-1');
    await world.stopMaster();
    await world.startMaster();
    const second = await world.startScheduler('second');
    const other = await world.startAgent('agent-2');
    await world.run(20_000);
    expect(second.id).not.toBe(first.id);
    expect(other.agent.agentId).toMatch(/-S1$/);
  });
});

describe('on a network that loses, repeats and delays', () => {
  it('every task ends, and nothing is counted twice', async () => {
    const all: TestAgent[] = [];
    for (const name of ['agent-1', 'agent-2', 'agent-3']) all.push(await world.startAgent(name));
    const scheduler = await world.startScheduler('scheduler');
    world.network.setFaults({ dropRequest: 0.05, dropResponse: 0.05, duplicate: 0.05 });
    const launched = new Set<string>();
    const answered = new Set<string>();
    for (let round = 0; round < 120; round += 1) {
      const offer = scheduler.offers.findLast(({ id }) => !answered.has(id.value));
      if (offer !== undefined && scheduler.client.state === 'subscribed') {
        answered.add(offer.id.value);
        const id = `task-${round}`;
        launched.add(id);
        scheduler.client
          .call(launch(offer, taskOn(offer, id, 'cpus:0.5;mem:64')))
          .catch(() => undefined);
      }
      await world.run(1000);
      expect(world.master.invariants()).toEqual([]);
      for (const { executors } of all) {
        for (const task of executors.flatMap(({ launched: ids }) => ids)) {
          if (Number(task.slice(5)) === round - 5) executors[0]?.update(task, 'TASK_FINISHED');
        }
      }
    }
    world.network.setFaults({ dropRequest: 0, dropResponse: 0, duplicate: 0 });
    expect(launched.size).toBeGreaterThan(40);
    await world.run(120_000);
    for (const id of launched) {
      if (scheduler.updates(id).length > 0) continue;
      // The ACCEPT itself was lost: nobody knows the task.
      const tasks = [{ task_id: { value: id } }];
      await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks } });
      expect(scheduler.updates(id)).toEqual(['TASK_UNKNOWN REASON_RECONCILIATION']);
    }
    expect(world.network.statistics.duplicates).toBeGreaterThan(0);
    expect(world.network.statistics.droppedRequests).toBeGreaterThan(0);
  });
});
