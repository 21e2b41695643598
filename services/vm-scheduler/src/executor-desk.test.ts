import {
  DigestKeeper,
  EXECUTOR_HEARTBEAT_INTERVAL_MS,
  type InventoryDigest,
} from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { sampleObservation, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

/** Of an executor that has these VMs, each told of up to this `seq`. */
function digestOf(seqs: Readonly<Record<number, number>>): InventoryDigest {
  const keeper = new DigestKeeper();
  for (const [n, seq] of Object.entries(seqs)) keeper.set(vmIdNumber(Number(n)), seq);
  return keeper.digest();
}

const REPORT = { type: 'report' };

describe('heartbeats', () => {
  it('of what is known cause nothing', async () => {
    const world = await World.running(3);
    const before = [1, 2, 3].map((n) => world.record(n));
    world.framework.say('agent-1', [], { digest: digestOf({ 1: 1_000, 2: 1_000, 3: 1_000 }) });
    await world.settle();
    expect(world.framework.calls).toEqual([]);
    expect([1, 2, 3].map((n) => world.record(n))).toEqual(before);
  });

  it.each([
    ['a VM more', { 1: 1_000, 2: 1_000, 3: 7 }],
    ['a VM less', { 1: 1_000 }],
    ['newer news', { 1: 1_000, 2: 1_001 }],
    ['nothing at all', {}],
  ])('of something else (%s) ask for everything', async (_, seqs) => {
    const world = await World.running(2);
    world.framework.say('agent-1', [], { digest: digestOf(seqs) });
    await world.settle();
    expect(world.framework.told()).toEqual([REPORT]);
  });

  it('keep their host from being silent, and repeat what it has not answered', async () => {
    const world = await World.running();
    const change = { vmId: vmIdNumber(1), generation: 2, desired: 'stopped' };
    await world.call('POST', '/v1/desired', { changes: [change] });
    world.framework.forget();
    for (let beat = 0; beat < 6; beat += 1) {
      world.framework.say('agent-1', [], { digest: digestOf({ 1: 1_000 }) });
      await world.clock.run(EXECUTOR_HEARTBEAT_INTERVAL_MS);
    }
    expect(world.shown()).toBe('running');
    expect(world.framework.told()).toHaveLength(6);
    expect(world.framework.told()[0]).toEqual({ type: 'setDesired', changes: [change] });
  });

  it('after a silence ask for everything, which ends it', async () => {
    const world = await World.running();
    await world.clock.run(30_000);
    expect(world.shown()).toBe('unreachable');
    world.framework.forget();
    world.framework.say('agent-1', [], { digest: digestOf({ 1: 1_000 }) });
    await world.settle();
    expect(world.framework.told()).toEqual([REPORT]);
    world.framework.say('agent-1', [sampleObservation(1)], { full: true });
    await world.settle();
    expect(world.shown()).toBe('running');
  });

  it('are compared anew after a restart of the scheduler', async () => {
    const world = await World.subscribed(await World.running(2));
    world.framework.say('agent-1', [], { digest: digestOf({ 1: 1_000, 2: 1_000 }) });
    await world.settle();
    expect(world.framework.told()).toEqual([]);
  });
});

describe('a VM that its executor does not have', () => {
  /** Says all that the executor has, every five seconds. */
  async function beat(world: World, has: readonly number[], seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 5) {
      const observations = has.map((n) => sampleObservation(n));
      world.framework.say('agent-1', observations, { full: true });
      await world.clock.run(5_000);
    }
  }

  it('is unreachable within two looks, and asked about with each heartbeat', async () => {
    const world = await World.running(2);
    await beat(world, [1], 5);
    expect(world.shown(2)).toBe('running');
    world.framework.forget();
    world.framework.say('agent-1', [], { digest: digestOf({ 1: 1_000, 2: 1_000 }) });
    await world.settle();
    expect(world.framework.told()).toEqual([REPORT]);
    await beat(world, [1], 5);
    expect([world.shown(1), world.shown(2)]).toEqual(['running', 'unreachable']);
    expect(world.record(2)).toMatchObject({ phase: 'lost', reason: 'EXECUTOR_LOST' });
  });

  it('loses its task after half a minute, and is launched again on its host alone', async () => {
    const world = await World.running(2);
    await beat(world, [1], 30);
    expect(world.framework.of('KILL')).toEqual([]);
    await beat(world, [1], 10);
    const killed = world.framework.of('KILL').map(({ kill }) => kill.task_id.value);
    expect(new Set(killed)).toEqual(new Set([`${vmIdNumber(2)}.1`]));
    const message = 'EXECUTOR_LOST: its executor does not have it';
    world.framework.status(2, 1, 'TASK_FAILED', { message });
    await world.clock.run(5_000);
    expect(world.record(2)).toMatchObject({ phase: 'waiting', boundAgentId: 'agent-1' });
    world.framework.offer(sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(world.framework.launched()).toEqual([]);
    world.framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    expect(world.framework.launched()).toMatchObject([{ agentId: 'agent-1' }]);
  });

  it('is left alone when it was only late', async () => {
    const world = await World.running(2);
    await beat(world, [1], 5);
    await beat(world, [1, 2], 60);
    expect(world.shown(2)).toBe('running');
    expect(world.framework.of('KILL')).toEqual([]);
  });
});
