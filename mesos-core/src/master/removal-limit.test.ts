import { VirtualClock } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRemovalRate, RemovalLimit } from './removal-limit.ts';
import { World } from './testing/world.ts';

describe('a removal rate', () => {
  it('is written as Mesos writes it', () => {
    expect(parseRemovalRate('1/10mins')).toEqual({ count: 1, periodMs: 600_000 });
    expect(parseRemovalRate('3/500ms')).toEqual({ count: 3, periodMs: 500 });
  });

  it.each(['', '1', '1/', '/10mins', '0/1secs', '1/0secs', '1.5/1secs', '-1/1secs'])(
    'is not %s',
    (text) => expect(parseRemovalRate(text)).toBeUndefined(),
  );

  it('is never exceeded, and what it allows is given', async () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3000), wanted: fc.nat(10) }));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, async (count, each) => {
        const clock = new VirtualClock();
        const limit = new RemovalLimit(clock, { count, periodMs: 1000 });
        let total = 0;
        for (const { waitMs, wanted } of each) {
          await clock.run(waitMs);
          const taken = limit.take(wanted);
          expect(taken).toBeLessThanOrEqual(wanted);
          total += taken;
          // One at first, and what has come since.
          expect(total).toBeLessThanOrEqual(1 + (clock.monotonicMs() / 1000) * count + 1e-6);
        }
        limit.take(count + 1);
        await clock.run(1001);
        expect(limit.take(count)).toBe(count);
      }),
      { numRuns: 50 },
    );
  });

  it('saves nothing up for agents that did not wait', async () => {
    const clock = new VirtualClock();
    const limit = new RemovalLimit(clock, { count: 4, periodMs: 1000 });
    expect(limit.take(0)).toBe(0);
    await clock.run(60_000);
    expect(limit.take(10)).toBe(1);
    await clock.run(249);
    expect(limit.take(9)).toBe(0);
    await clock.run(1);
    expect(limit.take(9)).toBe(1);
    // Two more come while eight wait.
    await clock.run(500);
    expect(limit.take(8)).toBe(2);
  });

  it('is no limit when there is none', () => {
    expect(new RemovalLimit(new VirtualClock(), undefined).take(1000)).toBe(1000);
  });
});

describe('a master with a removal rate', () => {
  let world: World;
  afterEach(() => world.close());

  const unreachable = async (): Promise<number> =>
    (await world.registry.load())?.agents.filter(({ state }) => state === 'unreachable').length ??
    0;

  it('declares silent agents unreachable one after the other', async () => {
    world = new World({
      settings: {
        ...{ agentPingTimeoutMs: 1000, maxAgentPingTimeouts: 2 },
        agentRemovalRate: { count: 1, periodMs: 60_000 },
      },
    });
    await world.startMaster();
    for (const name of ['a', 'b', 'c']) await (await world.startAgent(name)).crash();
    await world.run(10_000);
    expect(await unreachable()).toBe(1);
    await world.run(60_000);
    expect(await unreachable()).toBe(2);
    await world.run(60_000);
    expect(await unreachable()).toBe(3);
  });

  it('does so too with agents that do not come back after a failover', async () => {
    world = new World({
      settings: {
        agentReregisterTimeoutMs: 10_000,
        agentRemovalRate: { count: 2, periodMs: 600_000 },
      },
    });
    await world.startMaster();
    for (const name of ['a', 'b', 'c']) await (await world.startAgent(name)).crash();
    await world.stopMaster();
    await world.startMaster();
    await world.run(60_000);
    expect(await unreachable()).toBe(1);
    await world.run(260_000);
    expect(await unreachable()).toBe(2);
    await world.run(300_000);
    expect(await unreachable()).toBe(3);
  });

  it('counts both together', async () => {
    world = new World({
      settings: {
        ...{ agentPingTimeoutMs: 1000, maxAgentPingTimeouts: 2, agentReregisterTimeoutMs: 10_000 },
        agentRemovalRate: { count: 1, periodMs: 60_000 },
      },
    });
    await world.startMaster();
    await (await world.startAgent('absent')).crash();
    await world.stopMaster();
    await world.startMaster();
    await (await world.startAgent('silent')).crash();
    await world.run(20_000);
    expect(await unreachable()).toBe(1);
    await world.run(60_000);
    expect(await unreachable()).toBe(2);
  });
});
