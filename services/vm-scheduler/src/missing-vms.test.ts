import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleObservation, sampleOffer } from './testing/samples.ts';
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
