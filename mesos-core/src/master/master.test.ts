import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CallRefusedError } from '../client/index.ts';
import { parseResources, scalarQuantities } from '../protocol/index.ts';
import { FRAMEWORK, launch, type TestScheduler, taskOn, World } from './testing/world.ts';

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});

afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

function decline(scheduler: TestScheduler, refuse_seconds: number): Promise<void> {
  const offer_ids = scheduler.offers.map(({ id }) => id);
  return world.call(scheduler, {
    type: 'DECLINE',
    decline: { offer_ids, filters: { refuse_seconds } },
  });
}

describe.each(['json', 'protobuf'] as const)('a framework that speaks %s', (encoding) => {
  it('is offered, launches, hears, talks, kills', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler', FRAMEWORK, encoding);
    expect(scheduler.events.map(({ type }) => type)).toEqual(['SUBSCRIBED', 'HEARTBEAT', 'OFFERS']);
    const { offer } = scheduler;
    expect(scalarQuantities(offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
    await world.call(scheduler, launch(offer, taskOn(offer, 'a'), taskOn(offer, 'b')));
    expect(agent.executors).toHaveLength(1);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    expect(scheduler.updates('b')).toEqual(['TASK_RUNNING']);
    expect(scheduler.statuses('a')[0]).toMatchObject({
      source: 'SOURCE_EXECUTOR',
      executor_id: { value: 'executor-1' },
      agent_id: offer.agent_id,
    });
    // What is left: two tasks and their executor are taken.
    const left = scalarQuantities(scheduler.offer.resources ?? []);
    expect(left).toEqual({ cpus: 5.9, mem: 8192 - 256 - 32 });
    expect(scheduler.offer.executor_ids).toEqual([{ value: 'executor-1' }]);
    const data = Buffer.from('hello').toString('base64');
    const message = { agent_id: offer.agent_id, executor_id: { value: 'executor-1' }, data };
    await world.call(scheduler, { type: 'MESSAGE', message });
    expect(agent.executors[0]?.events).toContainEqual({ type: 'MESSAGE', message: { data } });
    agent.executors[0]?.message('hello');
    await world.run(50);
    expect(scheduler.of('MESSAGE')).toEqual([{ type: 'MESSAGE', message }]);
    await world.call(scheduler, { type: 'KILL', kill: { task_id: { value: 'a' } } });
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
    expect(scheduler.updates('b')).toEqual(['TASK_RUNNING']);
  });
});

describe('offers', () => {
  it('come within milliseconds of SUBSCRIBE, REVIVE, and of a new agent', async () => {
    const scheduler = await world.startScheduler('scheduler');
    await world.startAgent('agent-1');
    expect(scheduler.offers).toHaveLength(1);
    await world.call(scheduler, { type: 'SUPPRESS' });
    await decline(scheduler, 1);
    await world.run(60_000);
    expect(scheduler.offers).toHaveLength(1);
    const revivedAtMs = world.clock.monotonicMs();
    await world.call(scheduler, { type: 'REVIVE' });
    expect(scheduler.offers).toHaveLength(2);
    // One millisecond of network each way.
    expect((scheduler.times.at(-1) ?? 0) - revivedAtMs).toBeLessThanOrEqual(5);
  });

  it('of resources that end come at once', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    const before = scheduler.offers.length;
    agent.executors[0]?.update('a', 'TASK_FINISHED');
    await world.run(20);
    expect(scheduler.offers).toHaveLength(before + 1);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 1, mem: 128 });
  });

  it('are refused for as long as the filter says, and go to others meanwhile', async () => {
    await world.startAgent('agent-1');
    const first = await world.startScheduler('first');
    const second = await world.startScheduler('second');
    await decline(first, 10);
    expect(second.offers).toHaveLength(0);
    await world.run(1000);
    expect(second.offers).toHaveLength(1);
    await decline(second, 3600);
    await world.run(7000);
    expect(first.offers).toHaveLength(1);
    await world.run(4000);
    expect(first.offers).toHaveLength(2);
    expect(second.offers).toHaveLength(1);
  });

  it('go to others at once where the master is told so', async () => {
    await world.close();
    world = new World({ settings: { offersDeclinedAtOnce: true } });
    await world.startMaster();
    await world.startAgent('agent-1');
    const first = await world.startScheduler('first');
    const second = await world.startScheduler('second');
    await decline(first, 10);
    expect(second.offers).toHaveLength(1);
  });

  it('of an agent that names no region go to everybody, wherever the master is', async () => {
    await world.close();
    const domain = { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } };
    world = new World({ settings: { domain } });
    await world.startMaster();
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    // An agent that names no region counts as being in the master's.
    expect(scheduler.offers).toHaveLength(1);
  });

  it('refused for no time at all come again, but not at once', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    for (let round = 2; round < 5; round += 1) {
      await decline(scheduler, 0);
      await world.run(1000);
      expect(scheduler.offers).toHaveLength(round);
    }
  });

  it('that nobody answers go to somebody else in the end, where a time limit is set', async () => {
    await world.close();
    world = new World({ settings: { offerTimeoutMs: 5000 } });
    await world.startMaster();
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.run(4000);
    expect(scheduler.of('RESCIND')).toEqual([]);
    const { id } = scheduler.offer;
    await world.run(1000);
    expect(scheduler.of('RESCIND')).toEqual([{ type: 'RESCIND', rescind: { offer_id: id } }]);
    expect(scheduler.offers).toHaveLength(2);
  });

  it('of a shared agent are never made twice', async () => {
    await world.startAgent('agent-1');
    const schedulers = [await world.startScheduler('first'), await world.startScheduler('second')];
    await world.run(10_000);
    expect(schedulers.flatMap(({ offers }) => offers)).toHaveLength(1);
  });

  it('carry `role` for frameworks from before refined reservations', async () => {
    await world.startAgent('agent-1');
    const old = { name: 'old', user: 'root', role: 'eng' };
    const scheduler = await world.startScheduler('scheduler', old);
    expect(scheduler.offer.resources).toEqual(
      [
        ...[{ name: 'cpus', type: 'SCALAR', scalar: { value: 8 } }],
        ...[{ name: 'mem', type: 'SCALAR', scalar: { value: 8192 } }],
      ].map((resource) => ({ ...resource, role: '*', allocation_info: { role: 'eng' } })),
    );
    const task = { ...taskOn(scheduler.offer, 'a'), resources: scheduler.offer.resources ?? [] };
    const executor = task.executor && { ...task.executor, resources: [] };
    await world.call(scheduler, launch(scheduler.offer, { ...task, executor }));
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
  });

  it('of GPU machines go to frameworks that know of GPUs', async () => {
    await world.startAgent('agent-1', 'cpus:8;mem:8192;gpus:1');
    const plain = await world.startScheduler('plain');
    expect(plain.offers).toEqual([]);
    const capabilities = [{ type: 'GPU_RESOURCES' as const }, ...(FRAMEWORK.capabilities ?? [])];
    const gpu = await world.startScheduler('gpu', { ...FRAMEWORK, capabilities });
    expect(gpu.offers).toHaveLength(1);
  });
});

describe('launches that can not be', () => {
  it('of more than was offered, or of a known id, are TASK_ERROR; the rest goes ahead', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const { offer } = scheduler;
    const tasks = [taskOn(offer, 'a'), taskOn(offer, 'a'), taskOn(offer, 'big', 'cpus:7;mem:32')];
    await world.call(scheduler, launch(offer, ...tasks, taskOn(offer, 'b')));
    expect(scheduler.updates('a')).toEqual(['TASK_ERROR REASON_TASK_INVALID', 'TASK_RUNNING']);
    expect(scheduler.updates('big')).toEqual(['TASK_ERROR REASON_TASK_INVALID']);
    expect(scheduler.updates('b')).toEqual(['TASK_RUNNING']);
    expect(scheduler.statuses('big')[0]?.message).toBe(
      'Total resources cpus(allocated: eng):7; mem(allocated: eng):32 required by task and its ' +
        'executor is more than available cpus(allocated: eng):6.9; mem(allocated: eng):8032',
    );
  });

  it('of stale offers are TASK_DROPPED, or TASK_LOST to who does not know better', async () => {
    await world.startAgent('agent-1');
    const aware = await world.startScheduler('aware');
    const { offer } = aware;
    await decline(aware, 3600);
    await world.call(aware, launch(offer, taskOn(offer, 'a')));
    expect(aware.updates('a')).toEqual(['TASK_DROPPED REASON_INVALID_OFFERS']);
    const unaware = await world.startScheduler('unaware', { name: 'old', user: 'root' });
    await world.call(unaware, launch(offer, taskOn(offer, 'a')));
    expect(unaware.updates('a')).toEqual(['TASK_LOST REASON_INVALID_OFFERS']);
  });

  it('that arrive twice are not called dropped: the task is there', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const call = launch(scheduler.offer, taskOn(scheduler.offer, 'a'));
    await world.call(scheduler, call);
    await world.call(scheduler, call);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING', 'TASK_RUNNING REASON_RECONCILIATION']);
    expect(agent.executors.flatMap(({ launched }) => launched)).toEqual(['a']);
  });

  it.each([
    [
      'negative resources',
      'b',
      { resources: [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: -1 } }] },
    ],
    [
      'resources without an amount',
      'b',
      { resources: [{ name: 'cpus', type: 'SCALAR' as const }] },
    ],
    ['no resources', 'b', { resources: [] }],
    ['an id that is a path', '../b', {}],
    ['another agent', 'b', { agent_id: { value: 'elsewhere' } }],
    ['both command and executor', 'b', { command: { value: 'true' } }],
  ])('with %s are TASK_ERROR', async (_what, id, change) => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const { offer } = scheduler;
    await world.call(scheduler, launch(offer, { ...taskOn(offer, id), ...change }));
    expect(scheduler.updates(id)).toEqual(['TASK_ERROR REASON_TASK_INVALID']);
    expect(agent.executors).toEqual([]);
  });

  it('in a group are refused all together, and a group that just fits runs', async () => {
    const agent = await world.startAgent('agent-1', 'cpus:2.1;mem:288;disk:32');
    const scheduler = await world.startScheduler('scheduler');
    const { offer } = scheduler;
    const executor = {
      type: 'CUSTOM' as const,
      executor_id: { value: 'executor-1' },
      command: { value: 'executor' },
      resources: parseResources('cpus:0.1;mem:32;disk:32'),
    };
    const group = (...ids: readonly string[]) => {
      const tasks = ids.map((id) => ({ ...taskOn(offer, id), executor: undefined }));
      const launch_group = { executor, task_group: { tasks } };
      return { type: 'LAUNCH_GROUP' as const, launch_group };
    };
    await world.call(scheduler, {
      type: 'ACCEPT',
      accept: { offer_ids: [offer.id], operations: [group('a', 'b', 'c'), group('d', 'e')] },
    });
    expect(scheduler.updates('a')).toEqual(['TASK_ERROR REASON_TASK_GROUP_INVALID']);
    expect(scheduler.updates('c')).toEqual(['TASK_ERROR REASON_TASK_GROUP_INVALID']);
    expect(scheduler.updates('e')).toEqual(['TASK_RUNNING']);
    expect(agent.executors[0]?.events.map(({ type }) => type)).toContain('LAUNCH_GROUP');
  });
});

describe('calls that are not in order', () => {
  it('of a scheduler that failed over are refused; the new one goes on', async () => {
    const agent = await world.startAgent('agent-1');
    const first = await world.startScheduler('first');
    await world.call(first, launch(first.offer, taskOn(first.offer, 'a')));
    const second = await world.startScheduler('second', { ...FRAMEWORK, id: { value: first.id } });
    const told = first.events.map(({ type }) => type);
    expect(told.slice(-2)).toEqual(['RESCIND', 'ERROR']);
    expect(first.failure).toMatchObject({ name: 'SubscriptionRejectedError' });
    expect(second.id).toBe(first.id);
    await world.call(second, { type: 'RECONCILE', reconcile: { tasks: [] } });
    expect(second.updates('a')).toEqual(['TASK_RUNNING REASON_RECONCILIATION']);
    await world.call(second, { type: 'KILL', kill: { task_id: { value: 'a' } } });
    expect(second.updates('a').at(-1)).toBe('TASK_KILLED');
    expect(agent.executors).toHaveLength(1);
  });

  it('are refused when they change what can not change', async () => {
    const scheduler = await world.startScheduler('scheduler');
    const framework_info = { ...FRAMEWORK, id: { value: scheduler.id }, user: 'nobody' };
    const update = { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } } as const;
    await expect(world.call(scheduler, update)).rejects.toThrow(CallRefusedError);
    await expect(world.call(scheduler, update)).rejects.toThrow(/'FrameworkInfo.user' is unsupp/);
  });
});

describe('a changed framework', () => {
  it('loses the offers of roles that it leaves, and gets some of its new ones', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const framework_info = { ...FRAMEWORK, id: { value: scheduler.id }, roles: ['qa'] };
    await world.call(scheduler, { type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } });
    expect(scheduler.of('RESCIND')).toHaveLength(1);
    expect(scheduler.offer.allocation_info).toEqual({ role: 'qa' });
  });
});

describe('an executor that dies', () => {
  it('is a FAILURE and then TASK_FAILED, and what it took is offered again', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    agent.executors[0]?.exit(9);
    await world.run(50);
    const last = scheduler.events.map(({ type }) => type).filter((type) => type !== 'OFFERS');
    expect(last.slice(-2)).toEqual(['FAILURE', 'UPDATE']);
    expect(scheduler.of('FAILURE')[0]?.failure).toMatchObject({ status: 9 });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_FAILED REASON_EXECUTOR_TERMINATED');
    await world.call(scheduler, { type: 'REVIVE' });
    await decline(scheduler, 0);
    await world.call(scheduler, { type: 'REVIVE' });
    const free = scalarQuantities(scheduler.offer.resources ?? []);
    expect(free).toEqual({ cpus: 8, mem: 8192 });
  });
});

describe('reconciliation', () => {
  it('tells the latest state of what is known, and what the master thinks of the rest', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    const { offer } = scheduler;
    await world.call(scheduler, launch(offer, taskOn(offer, 'a')));
    const ask = [
      { task_id: { value: 'a' }, agent_id: offer.agent_id },
      { task_id: { value: 'b' }, agent_id: offer.agent_id },
      { task_id: { value: 'c' } },
      { task_id: { value: 'd' }, agent_id: { value: 'never-was' } },
    ];
    await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks: ask } });
    const answers = scheduler
      .statuses()
      .filter(({ reason }) => reason === 'REASON_RECONCILIATION')
      .map(({ task_id, state }) => [task_id.value, state]);
    expect(answers).toEqual([
      ['a', 'TASK_RUNNING'],
      ['b', 'TASK_GONE'],
      ['c', 'TASK_UNKNOWN'],
      ['d', 'TASK_UNKNOWN'],
    ]);
  });

  it('of more than a connection may hold back is answered in full, and others are heard', async () => {
    await world.startAgent('agent-1');
    const [asks, other] = [await world.startScheduler('asks'), await world.startScheduler('other')];
    const tasks = Array.from({ length: 50_000 }, (_, index) => ({
      task_id: { value: `a-task-that-nobody-ever-launched-${index}` },
    }));
    await world.call(asks, launch(asks.offer, taskOn(asks.offer, 'a')));
    await world.call(asks, { type: 'RECONCILE', reconcile: { tasks } });
    await world.call(asks, { type: 'RECONCILE', reconcile: {} });
    await world.call(other, { type: 'RECONCILE', reconcile: { tasks: tasks.slice(0, 1) } });
    const answers = asks.statuses().filter(({ reason }) => reason === 'REASON_RECONCILIATION');
    expect(answers).toHaveLength(tasks.length + 1);
    expect(new Set(answers.map(({ task_id }) => task_id.value)).size).toBe(tasks.length + 1);
    expect(other.statuses()).toHaveLength(1);
    expect(asks.of('SUBSCRIBED')).toHaveLength(1);
  });
});

describe('the end of a framework', () => {
  it('by TEARDOWN ends its executors and frees its resources', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    await world.call(scheduler, { type: 'TEARDOWN' });
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
    const other = await world.startScheduler('other');
    expect(scalarQuantities(other.offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
    const back = await world.startScheduler('back', { ...FRAMEWORK, id: { value: scheduler.id } });
    expect(back.failure).toMatchObject({ message: 'Framework has been removed' });
  });

  it('comes when it stays away longer than its failover timeout', async () => {
    const agent = await world.startAgent('agent-1');
    const info = { ...FRAMEWORK, failover_timeout: 60 };
    const scheduler = await world.startScheduler('scheduler', info);
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    await Promise.all([scheduler.client.stop(), world.run(59_000)]);
    expect(agent.executors[0]?.events.at(-1)?.type).not.toBe('SHUTDOWN');
    await world.run(2000);
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
  });

  it('does not come when it is back in time', async () => {
    const agent = await world.startAgent('agent-1');
    const info = { ...FRAMEWORK, failover_timeout: 60 };
    const scheduler = await world.startScheduler('scheduler', info);
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    const { id } = scheduler;
    await Promise.all([scheduler.client.stop(), world.run(30_000)]);
    const back = await world.startScheduler('back', { ...info, id: { value: id } });
    await world.run(120_000);
    expect(agent.executors[0]?.events.at(-1)?.type).not.toBe('SHUTDOWN');
    expect(back.failure).toBeUndefined();
  });
});
