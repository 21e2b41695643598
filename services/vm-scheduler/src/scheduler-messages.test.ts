import { describe, expect, it } from 'vitest';
import {
  operationIdNumber,
  sampleAssignment,
  sampleObservation,
  sampleOffer,
  vmIdNumber,
} from './testing/samples.ts';
import { World } from './testing/world.ts';

const BY_AGENT = {
  source: 'SOURCE_AGENT',
  reason: 'REASON_EXECUTOR_TERMINATED',
} as const;

const wish = (world: World, generation: number, desired: string, n = 1) =>
  world.call('POST', '/v1/desired', { changes: [{ vmId: vmIdNumber(n), generation, desired }] });

describe('statuses', () => {
  it('of earlier launches are acknowledged and change nothing', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    framework.forget();
    const before = world.record();
    framework.status(1, 1, 'TASK_KILLED');
    framework.status(1, 1, 'TASK_RUNNING');
    framework.status(99, 1, 'TASK_RUNNING');
    await world.settle();
    expect(world.record()).toBe(before);
    expect(framework.of('ACKNOWLEDGE')).toHaveLength(3);
    expect(framework.of('KILL')).toEqual([]);
  });

  it('of tasks that live although their VM is deleted get them killed', async () => {
    const world = await World.running();
    await wish(world, 2, 'deleted');
    world.framework.status(1, 1, 'TASK_KILLED');
    await world.settle();
    world.framework.forget();
    world.framework.status(1, 2, 'TASK_RUNNING');
    await world.settle();
    expect(world.framework.of('KILL')[0]?.kill.task_id.value).toBe(`${vmIdNumber(1)}.2`);
  });

  it('are acknowledged only when what follows is durable, repeated ones too', async () => {
    const world = await World.running();
    const writing = Promise.withResolvers<void>();
    world.store.beforeSave = () => writing.promise;
    world.framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    world.framework.status(1, 1, 'TASK_FAILED', BY_AGENT);
    await world.settle();
    expect(world.framework.of('ACKNOWLEDGE')).toEqual([]);
    writing.resolve();
    await world.settle();
    expect(world.framework.of('ACKNOWLEDGE')).toHaveLength(2);
  });
});

describe('wishes', () => {
  it('are told at once, and again at each heartbeat until they are applied', async () => {
    const world = await World.running();
    const { framework } = world;
    await wish(world, 2, 'stopped');
    const change = { vmId: vmIdNumber(1), generation: 2, desired: 'stopped' };
    expect(framework.told()).toEqual([{ type: 'setDesired', changes: [change] }]);
    framework.say('agent-1', [sampleObservation(1)], { full: true });
    await world.settle();
    expect(framework.told()).toHaveLength(2);
    framework.say(
      'agent-1',
      [sampleObservation(1, { seq: 1_001, generation: 2, state: 'stopped' })],
      { full: true },
    );
    await world.settle();
    expect(framework.told()).toHaveLength(2);
    expect(world.shown()).toBe('stopped');
  });

  it('that are repeated wait for the first to be durable', async () => {
    const world = await World.subscribed();
    const writing = Promise.withResolvers<void>();
    world.store.beforeSave = () => writing.promise;
    const answered: string[] = [];
    const put = (name: string) =>
      world.service.app
        .inject({ method: 'PUT', url: '/v1/vms', payload: { vms: [sampleAssignment(1)] } })
        .then(() => answered.push(name));
    const both = [put('first'), put('second')];
    await world.settle();
    expect(answered).toEqual([]);
    writing.resolve();
    await Promise.all(both);
    expect([...world.service.state.vms()]).toHaveLength(1);
  });
});

describe('operations', () => {
  const request = { operationId: operationIdNumber(1), vmId: vmIdNumber(1), kind: 'reboot' };
  const result = { ...request, kind: undefined, outcome: 'succeeded', message: '', output: '' };

  it('are handed over until their result comes, once each', async () => {
    const world = await World.running();
    const { framework } = world;
    await world.call('POST', '/v1/operations', { operations: [request] });
    await world.call('POST', '/v1/operations', { operations: [request] });
    expect(framework.told()).toEqual([{ type: 'operate', operations: [request] }]);
    framework.say('agent-1', [], { full: true });
    await world.settle();
    expect(framework.told()).toHaveLength(2);
    framework.forget();
    const say = () => framework.say('agent-1', [], { full: true, operations: [result as never] });
    say();
    say();
    await world.settle();
    expect(framework.told()).toEqual([
      { type: 'operationsSeen', operationIds: [request.operationId] },
      { type: 'operationsSeen', operationIds: [request.operationId] },
    ]);
    const changes = await world.call('POST', '/v1/changes', { after: 0, waitMs: 0 });
    expect(changes).toMatchObject({ operations: [{ outcome: 'succeeded' }] });
    framework.forget();
    await world.call('POST', '/v1/operations', { operations: [request] });
    expect(framework.told()).toEqual([]);
  });

  it('fail when the cluster has no such machine, or its host does not answer in time', async () => {
    const world = await World.running();
    const other = { ...request, operationId: operationIdNumber(2), vmId: vmIdNumber(9) };
    await world.call('POST', '/v1/operations', { operations: [request, other] });
    await world.clock.run(130_000);
    const changes = await world.call('POST', '/v1/changes', { after: 0, waitMs: 0 });
    expect(changes).toMatchObject({
      operations: [
        { operationId: other.operationId, outcome: 'failed' },
        { operationId: request.operationId, outcome: 'failed' },
      ],
    });
  });
});

describe('a scheduler that starts again', () => {
  it('comes with its framework id, asks about everything, and knows all VMs', async () => {
    const first = await World.running(2);
    const { revision } = first.record();
    await first.service.close();
    const second = new World(first);
    await second.service.start();
    expect(second.framework.startedWith).toBe('framework-1');
    second.framework.subscribe();
    await second.settle();
    expect(second.framework.of('RECONCILE')[0]?.reconcile.tasks).toHaveLength(2);
    expect(second.framework.told()).toEqual([{ type: 'report' }]);
    expect(second.shown(1)).toBe('running');
    second.framework.say('agent-1', [sampleObservation(1, { seq: 1_500, state: 'stopped' })]);
    await second.settle();
    expect(second.record().revision).toBeGreaterThan(revision);
  });

  it('launches again what the master never got', async () => {
    const first = await World.subscribed();
    await first.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    first.framework.beforeCall = (call) => {
      if (call.type === 'ACCEPT') return new Promise(() => undefined);
    };
    first.framework.offer(sampleOffer('o1', 'agent-1'));
    await first.settle();
    const second = await World.subscribed(first);
    second.framework.answer(1, 1, 'TASK_GONE');
    await second.clock.run(2_000);
    second.framework.offer(sampleOffer('o2', 'agent-1'));
    await second.settle();
    expect(second.framework.launched()).toMatchObject([{ taskId: `${vmIdNumber(1)}.2` }]);
  });

  it('finds its VMs again when the master has removed the framework', async () => {
    const world = await World.running();
    world.framework.emit({ type: 'ERROR', error: { message: 'Framework has been removed' } });
    world.framework.disconnect();
    world.framework.subscribe('framework-2');
    world.framework.answer(1, 1, 'TASK_GONE');
    await world.settle();
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    const [accept] = world.framework.of('ACCEPT');
    expect(accept?.framework_id).toEqual({ value: 'framework-2' });
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-1' }]);
    expect((await world.store.load()).frameworkId).toBe('framework-2');
  });
});
