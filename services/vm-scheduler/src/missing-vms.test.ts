import type { Changes } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleObservation, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

const givenAgain = (lastHost: string | null, desired: 'running' | 'deleted' = 'running') => ({
  vms: [sampleAssignment(1, { lastHost, desired })],
});

describe('a machine that the cluster had, and lost with its database', () => {
  it('is taken up where its task runs, whether that is told before it is given again or after', async () => {
    for (const isToldBefore of [true, false]) {
      const world = await World.subscribed();
      const tell = () => world.framework.answer(1, 4, 'TASK_RUNNING');
      if (isToldBefore) tell();
      await world.call('PUT', '/v1/vms', givenAgain('host-9'));
      if (!isToldBefore) tell();
      await world.settle();
      expect(world.record()).toMatchObject({ boundAgentId: 'agent-1', task: { attempt: 4 } });
      expect(world.shown()).toBe('unreachable');
      world.framework.offer(sampleOffer('o1', 'agent-1'), sampleOffer('o2', 'agent-9'));
      world.framework.say('agent-1', [sampleObservation(1)]);
      await world.settle();
      expect(world.shown()).toBe('running');
      await world.clock.run(60_000);
      expect(world.framework.launched()).toEqual([]);
    }
  });

  it('is launched on the host that it was on and nowhere else, once the master has been asked', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', givenAgain('host-2'));
    world.framework.offer(sampleOffer('o1', 'agent-1'), sampleOffer('o2', 'agent-2'));
    await world.clock.run(20_000);
    expect(world.framework.of('RECONCILE').some(({ reconcile }) => !reconcile.tasks?.length)).toBe(
      true,
    );
    expect(world.framework.launched()).toEqual([]);
    await world.clock.run(10_000);
    world.framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    expect(world.framework.launched()).toEqual([]);
    world.framework.offer(sampleOffer('o4', 'agent-2'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-2' }]);
    // Later than any launch that was forgotten.
    expect(world.record().attempts).toBeGreaterThan(1_000);
  });

  it('is cleaned up there when it was to be deleted', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', givenAgain('host-2', 'deleted'));
    await world.clock.run(30_000);
    expect(world.shown()).toBe('scheduled');
    world.framework.offer(sampleOffer('o1', 'agent-2'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ data: { desired: 'deleted' } }]);
  });

  it('may go anywhere when nobody says in two minutes to have it, and it was seen nowhere', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', givenAgain(null));
    await world.clock.run(110_000);
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(world.framework.launched()).toEqual([]);
    await world.clock.run(15_000);
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-1' }]);
  });
});

describe('what executors find on their hosts without a task', () => {
  const orphans = [1, 2].map((n) => ({ vmId: vmIdNumber(n), hasDomain: true, hasFiles: true }));
  const listed = async (world: World) =>
    ((await world.call('POST', '/v1/changes', { after: 0, waitMs: 0 })) as Changes).orphans;

  it('is a machine that was missing, or is listed', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', givenAgain(null));
    world.framework.say('agent-3', [], { full: true, orphans });
    await world.settle();
    expect(world.record().boundAgentId).toBe('agent-3');
    expect(await listed(world)).toEqual([{ ...orphans[1], agentId: 'agent-3' }]);
    world.framework.offer(sampleOffer('o1', 'agent-3'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-3' }]);
    world.framework.say('agent-3', [], { full: true, orphans: [] });
    await world.settle();
    expect(await listed(world)).toEqual([]);
  });

  it('is cleaned up there when its machine is given again to be removed', async () => {
    const world = await World.running();
    const deleted = sampleObservation(1, { state: 'deleted', seq: 2_000 });
    await world.call('POST', '/v1/desired', {
      changes: [{ vmId: vmIdNumber(1), generation: 2, desired: 'deleted' }],
    });
    world.framework.say('agent-1', [deleted]);
    await world.settle();
    const again = { assignmentEpoch: 2, generation: 2, desired: 'deleted', lastHost: 'host-2' };
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1, again as never)] });
    await world.clock.run(30_000);
    world.framework.offer(sampleOffer('o9', 'agent-2'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([
      { agentId: 'agent-2', data: { desired: 'deleted', assignmentEpoch: 2 } },
    ]);
  });
});

describe('a host that is declared gone', () => {
  const gone = (world: World) => world.call('POST', '/v1/hosts-gone', { hostName: 'host-1' });

  it('lets a delete end, and what it had be made anew elsewhere', async () => {
    const world = await World.running(2);
    const wish = (n: number, generation: number, desired: string) =>
      world.call('POST', '/v1/desired', {
        changes: [{ vmId: vmIdNumber(n), generation, desired }],
      });
    await wish(1, 2, 'deleted');
    await world.clock.run(60_000);
    expect(world.shown(1)).toBe('unreachable');
    await gone(world);
    expect(world.shown(1)).toBe('deleted');
    expect(world.record(2)).toMatchObject({ phase: 'failed', reason: 'AGENT_LOST' });
    await wish(2, 2, 'running');
    world.framework.forget();
    world.framework.offer(sampleOffer('o5', 'agent-5'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-5' }]);
  });

  it('is not believed while its executor is heard', async () => {
    const world = await World.running();
    await gone(world);
    expect(world.shown()).toBe('running');
  });
});
