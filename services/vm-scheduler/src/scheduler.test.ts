import { VM_EXECUTOR_NEED } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleObservation, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

const BY_AGENT = {
  source: 'SOURCE_AGENT',
  reason: 'REASON_EXECUTOR_TERMINATED',
} as const;

const wish = (world: World, generation: number, desired: string, n = 1) =>
  world.call('POST', '/v1/desired', { changes: [{ vmId: vmIdNumber(n), generation, desired }] });

describe('launching', () => {
  it('asks for offers when VMs come, launches them in one call, and then asks for no more', async () => {
    const world = await World.subscribed();
    const { framework } = world;
    await world.call('PUT', '/v1/vms', { vms: [1, 2, 3].map((n) => sampleAssignment(n)) });
    expect(framework.calls.map(({ type }) => type)).toEqual(['REVIVE']);
    framework.forget();
    framework.offer(sampleOffer('o1', 'agent-1'), sampleOffer('o2', 'agent-2', { mem: 64 }));
    await world.settle();
    expect(framework.of('ACCEPT')).toHaveLength(1);
    expect(framework.launched().map(({ taskId }) => taskId)).toEqual(
      [1, 2, 3].map((n) => `${vmIdNumber(n)}.1`),
    );
    expect(framework.of('DECLINE')[0]?.decline.offer_ids).toEqual([{ value: 'o2' }]);
    expect(framework.of('SUPPRESS')).toHaveLength(1);
    expect(world.shown()).toBe('launching');
    framework.say('agent-1', [sampleObservation(1)]);
    await world.settle();
    expect(world.shown()).toBe('running');
    expect(world.service.state.illegalChangeCount).toBe(0);
  });

  it('holds no offers when nothing waits', async () => {
    const world = await World.subscribed();
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    const [decline] = world.framework.of('DECLINE');
    expect(decline?.decline.offer_ids).toEqual([{ value: 'o1' }]);
    expect(decline?.decline.filters?.refuse_seconds).toBeGreaterThan(60);
    expect(world.framework.of('ACCEPT')).toEqual([]);
  });

  it('says why a VM waits, and refuses what does not fit only for a moment', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.offer(sampleOffer('o1', 'agent-1', { mem: 100 }));
    await world.settle();
    expect(world.record()).toMatchObject({
      reason: 'NO_CAPACITY',
      message: '1 agent makes offers: 1 lack memory.',
    });
    const [decline] = world.framework.of('DECLINE');
    expect(decline?.decline.filters?.refuse_seconds).toBeLessThanOrEqual(10);
    expect(world.framework.of('SUPPRESS')).toEqual([]);
  });

  it('tells the master again that VMs wait, should it have missed that', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.forget();
    await world.clock.run(95_000);
    expect(world.framework.of('REVIVE')).toHaveLength(3);
  });

  it('counts the executor itself where none runs yet', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.offer(sampleOffer('o1', 'agent-1', { cpus: 1 + VM_EXECUTOR_NEED.vcpus / 2 }));
    await world.settle();
    expect(world.framework.of('ACCEPT')).toEqual([]);
    world.framework.offer(sampleOffer('o2', 'agent-1', { cpus: 1 }, true));
    await world.settle();
    expect(world.framework.of('ACCEPT')).toHaveLength(1);
  });

  it('makes the launch durable before it is sent', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    const writing = Promise.withResolvers<void>();
    world.store.beforeSave = () => writing.promise;
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(world.framework.of('ACCEPT')).toEqual([]);
    writing.resolve();
    await world.settle();
    expect(world.framework.of('ACCEPT')).toHaveLength(1);
    expect((await world.store.load()).vms[0]?.task?.attempt).toBe(1);
  });

  it('gives offers back when the launch can not be made durable, and recovers', async () => {
    const world = await World.subscribed();
    const { framework, store } = world;
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    store.beforeSave = () => {
      throw new Error('the database is down');
    };
    framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(framework.of('ACCEPT')).toEqual([]);
    expect(framework.of('DECLINE')[0]?.decline.offer_ids).toEqual([{ value: 'o1' }]);
    store.beforeSave = () => undefined;
    await world.clock.run(12_000);
    expect(framework.of('RECONCILE').length).toBeGreaterThan(0);
    framework.answer(1, 1, 'TASK_GONE');
    await world.clock.run(3_000);
    framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    expect(framework.launched().map(({ taskId }) => taskId)).toEqual([`${vmIdNumber(1)}.2`]);
  });

  it('launches nothing before the id of the framework is durable', async () => {
    const world = new World();
    await world.service.start();
    const saving = Promise.withResolvers<void>();
    world.store.beforeSaveFrameworkId = () => saving.promise;
    world.framework.subscribe('framework-7');
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(world.framework.of('ACCEPT')).toEqual([]);
    saving.resolve();
    await world.settle();
    expect(world.framework.of('ACCEPT')).toHaveLength(1);
    expect((await world.store.load()).frameworkId).toBe('framework-7');
  });

  it('asks the master when nobody knows whether a launch was accepted', async () => {
    const world = await World.subscribed();
    const { framework } = world;
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    framework.beforeCall = (call) => {
      if (call.type === 'ACCEPT') throw new Error('connection reset');
    };
    framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(framework.of('RECONCILE')[0]?.reconcile.tasks).toEqual([
      { task_id: { value: `${vmIdNumber(1)}.1` }, agent_id: { value: 'agent-1' } },
    ]);
    framework.answer(1, 1, 'TASK_RUNNING');
    await world.settle();
    expect(world.record()).toMatchObject({ phase: 'launching', attempts: 1 });
    // No answer at all: it is asked again.
    framework.forget();
    await world.clock.run(25_000);
    expect(framework.of('RECONCILE').length).toBeGreaterThanOrEqual(1);
  });

  it('starts a VM once although its ACCEPT arrived twice', async () => {
    const world = await World.subscribed();
    const { framework } = world;
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    framework.forget();
    framework.status(1, 1, 'TASK_DROPPED', {
      source: 'SOURCE_MASTER',
      reason: 'REASON_INVALID_OFFERS',
    });
    await world.settle();
    expect(framework.of('RECONCILE')).toHaveLength(1);
    framework.answer(1, 1, 'TASK_STAGING');
    framework.offer(sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(framework.of('ACCEPT')).toEqual([]);
    expect(world.record()).toMatchObject({ phase: 'launching', boundAgentId: 'agent-1' });
  });

  it('goes elsewhere when the offer was gone before the launch', async () => {
    const world = await World.subscribed();
    const { framework } = world;
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    const gone = { source: 'SOURCE_MASTER', reason: 'REASON_INVALID_OFFERS' } as const;
    framework.status(1, 1, 'TASK_DROPPED', gone);
    framework.answer(1, 1, 'TASK_GONE');
    await world.clock.run(2_000);
    framework.offer(sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(framework.launched().at(-1)).toMatchObject({
      taskId: `${vmIdNumber(1)}.2`,
      agentId: 'agent-2',
    });
  });

  it('does not use an offer that was rescinded, or that belongs to an old subscription', async () => {
    const world = new World();
    await world.service.start();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    world.framework.emit({ type: 'RESCIND', rescind: { offer_id: { value: 'o1' } } });
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    world.framework.disconnect();
    world.framework.subscribe();
    await world.settle();
    expect(world.framework.of('ACCEPT')).toEqual([]);
  });
});

describe('a lost executor', () => {
  it('brings the VM back on the same agent, and no other', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    await world.settle();
    expect(world.shown()).toBe('unreachable');
    expect(framework.of('REVIVE').length).toBeGreaterThan(0);
    framework.offer(sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(framework.of('ACCEPT')).toEqual([]);
    framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    expect(framework.launched()).toMatchObject([
      { taskId: `${vmIdNumber(1)}.2`, agentId: 'agent-1', data: { desired: 'running' } },
    ]);
    expect(world.shown()).toBe('unreachable');
    framework.say('agent-1', [sampleObservation(1, { seq: 2_000 })]);
    await world.settle();
    expect(world.shown()).toBe('running');
    expect(world.service.state.illegalChangeCount).toBe(0);
  });

  it('keeps room on the agent for a VM that comes back in a moment', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    framework.offer(sampleOffer('o2', 'agent-1', { cpus: 1.1 }));
    await world.settle();
    framework.status(1, 2, 'TASK_FAILED', BY_AGENT);
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(2)] });
    framework.forget();
    framework.offer(sampleOffer('o3', 'agent-1', { cpus: 2 }));
    await world.settle();
    expect(framework.of('ACCEPT')).toEqual([]);
    await world.clock.run(3_000);
    framework.offer(sampleOffer('o4', 'agent-1', { cpus: 2 }));
    await world.settle();
    expect(framework.launched().map(({ taskId }) => taskId)).toEqual([`${vmIdNumber(1)}.3`]);
  });

  it('shows silence after three heartbeats, and the VM again at the next one', async () => {
    const world = await World.running();
    await world.clock.run(14_000);
    expect(world.shown()).toBe('running');
    await world.clock.run(3_000);
    expect(world.shown()).toBe('unreachable');
    expect(world.record()).toMatchObject({ reason: 'EXECUTOR_LOST' });
    expect(world.framework.of('KILL')).toEqual([]);
    world.framework.say('agent-1', [sampleObservation(1)], { full: true });
    await world.settle();
    expect(world.shown()).toBe('running');
  });

  it('waits for an agent that is unreachable, and asks the master about it', async () => {
    const world = await World.running();
    world.framework.status(1, 1, 'TASK_UNREACHABLE', { source: 'SOURCE_MASTER' });
    await world.settle();
    expect(world.shown()).toBe('unreachable');
    world.framework.offer(sampleOffer('o9', 'agent-2'));
    await world.clock.run(30_000);
    expect(world.framework.of('ACCEPT')).toEqual([]);
    expect(world.framework.of('RECONCILE').length).toBeGreaterThanOrEqual(2);
    const revisions = world.record().revision;
    world.framework.answer(1, 1, 'TASK_UNREACHABLE');
    await world.settle();
    expect(world.record().revision).toBe(revisions);
  });
});

describe('what a machine is to be', () => {
  it('is told with the wish, and with later ones, until the executor has made it so', async () => {
    const world = await World.running();
    const { framework } = world;
    const spec = { ...sampleAssignment(1).spec, userData: '#!/bin/sh' };
    const changes = [{ vmId: vmIdNumber(1), generation: 2, desired: 'running', spec }];
    await world.call('POST', '/v1/desired', { changes });
    expect(framework.told()).toEqual([{ type: 'setDesired', changes }]);
    framework.forget();
    await wish(world, 3, 'stopped');
    const later = { vmId: vmIdNumber(1), generation: 3, desired: 'stopped' };
    expect(framework.told()).toEqual([{ type: 'setDesired', changes: [{ ...later, spec }] }]);
    framework.say('agent-1', [sampleObservation(1, { seq: 1_001, generation: 3 })]);
    await world.settle();
    framework.forget();
    await wish(world, 4, 'running');
    const last = { vmId: vmIdNumber(1), generation: 4, desired: 'running' };
    expect(framework.told()).toEqual([{ type: 'setDesired', changes: [last] }]);
  });
});

describe('deleting', () => {
  it('tells the executor until it has an effect, and kills no task: that would only stop it', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.beforeCall = (call) => {
      if (call.type === 'MESSAGE') throw new Error('lost');
    };
    const changes = [{ vmId: vmIdNumber(1), generation: 2, desired: 'deleted' }];
    await wish(world, 2, 'deleted');
    expect(framework.told()).toEqual([{ type: 'setDesired', changes }]);
    framework.beforeCall = () => undefined;
    framework.say('agent-1', [sampleObservation(1)], { full: true });
    await world.settle();
    expect(framework.told()).toHaveLength(2);
    framework.say('agent-1', [sampleObservation(1, { seq: 1_001, state: 'deleting' })]);
    await world.settle();
    expect(world.shown()).toBe('deleting');
    framework.status(1, 1, 'TASK_FINISHED');
    await world.settle();
    expect(world.shown()).toBe('deleted');
    expect(framework.of('KILL')).toEqual([]);
    expect(framework.of('ACKNOWLEDGE')).toHaveLength(1);
  });

  it('of a VM whose task was killed before the executor was told launches one that removes it', async () => {
    const world = await World.running();
    const { framework } = world;
    await wish(world, 2, 'deleted');
    framework.status(1, 1, 'TASK_KILLED', { message: 'RELEASED: its disk is kept' });
    await world.settle();
    expect(world.shown()).not.toBe('deleted');
    framework.forget();
    framework.offer(sampleOffer('o2', 'agent-1', { cpus: 0.2, mem: 256, disk: 0 }));
    await world.settle();
    expect(framework.launched()).toMatchObject([
      { agentId: 'agent-1', data: { desired: 'deleted', generation: 2 } },
    ]);
  });

  it('of a VM that waits needs nobody', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    await wish(world, 2, 'deleted');
    expect(world.shown()).toBe('deleted');
    world.framework.forget();
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(world.framework.of('ACCEPT')).toEqual([]);
  });

  it('of a VM that is being launched tells it and kills its task, again at each answer', async () => {
    const world = await World.subscribed();
    const { framework } = world;
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    framework.forget();
    await wish(world, 2, 'deleted');
    expect(framework.calls.map(({ type }) => type)).toEqual(['MESSAGE', 'KILL']);
    framework.answer(1, 1, 'TASK_STAGING');
    await world.settle();
    expect(framework.of('KILL')).toHaveLength(2);
    const early = { source: 'SOURCE_AGENT', reason: 'REASON_TASK_KILLED_DURING_LAUNCH' } as const;
    framework.status(1, 1, 'TASK_KILLED', early);
    await world.settle();
    expect(world.shown()).toBe('deleted');
  });

  it('of a VM without a task launches one on its host that only cleans up', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    await wish(world, 2, 'deleted');
    framework.offer(sampleOffer('o2', 'agent-1', { cpus: 0.2, mem: 256, disk: 0 }));
    await world.settle();
    expect(framework.launched()).toMatchObject([
      { agentId: 'agent-1', data: { desired: 'deleted' } },
    ]);
    framework.status(1, 2, 'TASK_FINISHED');
    await world.settle();
    expect(world.shown()).toBe('deleted');
  });

  it('of a silent VM waits for its host', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_UNREACHABLE', { source: 'SOURCE_MASTER' });
    await wish(world, 2, 'deleted');
    framework.forget();
    await world.clock.run(21_000);
    framework.answer(1, 1, 'TASK_RUNNING');
    await world.settle();
    expect(framework.of('KILL').length).toBeGreaterThan(0);
    expect(world.shown()).toBe('unreachable');
    framework.say('agent-1', [sampleObservation(1, { seq: 1_005, state: 'deleted' })]);
    await world.settle();
    expect(world.shown()).toBe('deleted');
  });

  it('of a VM that has failed leaves nothing', async () => {
    const world = await World.running();
    world.framework.status(1, 1, 'TASK_FAILED', { message: 'DISK_FULL: no space left' });
    await world.settle();
    expect(world.record()).toMatchObject({ phase: 'failed', reason: 'DISK_FULL' });
    await wish(world, 2, 'deleted');
    expect(world.shown()).toBe('deleted');
  });
});
