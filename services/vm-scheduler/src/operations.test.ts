import type { Changes } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { operationIdNumber, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

const MINUTE_MS = 60_000;
const operationId = operationIdNumber(1);
const result = { operationId, vmId: vmIdNumber(1), outcome: 'succeeded', message: '', output: '' };

const request = (world: World, deadlineMs: number) => ({
  ...{ operationId, vmId: vmIdNumber(1), kind: 'reboot' as const },
  deadlineAtMs: world.clock.nowMs() + deadlineMs,
  params: {},
});
const operate = (world: World, deadlineMs: number) =>
  world.call('POST', '/v1/operations', { operations: [request(world, deadlineMs)] });
const changes = (world: World, reported?: number) =>
  world.call('POST', '/v1/changes', { after: 0, waitMs: 0, reported }) as Promise<Changes>;
/** The VM's host, which beats its heart for so long. */
async function beat(world: World, forMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 10_000) {
    world.framework.say('agent-1', [], { full: true });
    await world.clock.run(10_000);
  }
}

describe('an operation', () => {
  it('waits for a host that is being found again, and comes with its parameters', async () => {
    const world = await World.running();
    const { framework } = world;
    framework.status(1, 1, 'TASK_FAILED', { source: 'SOURCE_AGENT' });
    await world.settle();
    const params = { user: 'root', password: 'hunter2' };
    const order = { ...request(world, 10 * MINUTE_MS), kind: 'setPassword', params };
    await world.call('POST', '/v1/operations', { operations: [order] });
    await world.clock.run(5_000);
    expect((await changes(world)).operations).toEqual([]);
    framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    framework.forget();
    framework.say('agent-1', [], { full: true });
    await world.settle();
    expect(framework.told()).toMatchObject([
      { type: 'operate', operations: [{ operationId, kind: 'setPassword', params }] },
    ]);
  });

  it('has the time that its request says, and not a moment more', async () => {
    const world = await World.running();
    await operate(world, 9 * MINUTE_MS);
    await beat(world, 8 * MINUTE_MS);
    expect((await changes(world)).operations).toEqual([]);
    await beat(world, 2 * MINUTE_MS);
    expect((await changes(world)).operations).toMatchObject([
      { operationId, outcome: 'failed', message: expect.stringContaining('in time') },
    ]);
  });

  it('is not begun when it comes too late', async () => {
    const world = await World.running();
    await operate(world, -1);
    expect(world.framework.told()).toEqual([]);
    expect((await changes(world)).operations).toMatchObject([{ outcome: 'failed' }]);
  });

  describe('with a password', () => {
    const params = { user: 'root', password: 'hunter2' };
    const kept = async (world: World) => JSON.stringify((await world.store.load()).operations);
    const asked = async () => {
      const world = await World.running();
      const deadlineAtMs = world.clock.nowMs() + MINUTE_MS;
      const order = { operationId, vmId: vmIdNumber(1), kind: 'setPassword', params, deadlineAtMs };
      await world.call('POST', '/v1/operations', { operations: [order] });
      return world;
    };

    it('is told to the host, and never readable in the store', async () => {
      const world = await asked();
      expect(world.framework.told()).toMatchObject([{ operations: [{ params }] }]);
      expect(await kept(world)).toContain('"password":"sealed:');
      expect(await kept(world)).not.toContain('hunter2');
      world.framework.say('agent-1', [], { operations: [result as never] });
      await world.settle();
      expect(await kept(world)).toContain('"password":""');
    });

    it('outlives a restart of the scheduler', async () => {
      const before = await asked();
      await before.service.close();
      const world = await World.subscribed(before);
      await beat(world, 10_000);
      expect(world.framework.told()).toContainEqual(
        expect.objectContaining({
          operations: [expect.objectContaining({ kind: 'setPassword', params })],
        }),
      );
    });

    it('fails when the key with which it was sealed is gone, and does not set another', async () => {
      const before = await asked();
      await before.service.close();
      const world = await World.subscribed(before, '22'.repeat(32));
      await beat(world, 10_000);
      expect(JSON.stringify(world.framework.told())).not.toContain('setPassword');
      expect((await changes(world)).operations).toMatchObject([
        { operationId, outcome: 'failed', message: expect.stringContaining('give it again') },
      ]);
    });
  });

  it('is repeated to its own host alone, until that has answered', async () => {
    const world = await World.running(2);
    await operate(world, 9 * MINUTE_MS);
    world.framework.forget();
    world.framework.say('agent-2', [], { full: true });
    await world.settle();
    expect(world.framework.told()).toEqual([]);
    await beat(world, 10_000);
    expect(world.framework.told()).toMatchObject([{ operations: [{ operationId }] }]);
    world.framework.say('agent-1', [], { operations: [result as never] });
    await world.settle();
    world.framework.forget();
    await beat(world, 10_000);
    expect(JSON.stringify(world.framework.told())).not.toContain('"operate"');
  });

  it('keeps its result until the api-server has it', async () => {
    const world = await World.running();
    await operate(world, MINUTE_MS);
    world.framework.say('agent-1', [], { operations: [result as never] });
    await world.clock.run(24 * 60 * MINUTE_MS);
    const { operations, revision } = await changes(world);
    expect(operations).toMatchObject([{ outcome: 'succeeded' }]);
    await changes(world, revision);
    await world.clock.run(2_000);
    expect((await changes(world)).operations).toEqual([]);
  }, 120_000);

  it('says how far it is until it is done', async () => {
    const world = await World.running();
    await operate(world, 10 * MINUTE_MS);
    const far = (percent: number) => ({ operationId, vmId: vmIdNumber(1), stage: 'off', percent });
    world.framework.say('agent-1', [], { progress: [far(10)] });
    world.framework.say('agent-1', [], { progress: [far(50)] });
    // Another host has nothing to say of it.
    world.framework.say('agent-2', [], { progress: [far(99)] });
    await world.settle();
    expect((await changes(world)).progress).toEqual([far(50)]);
    world.framework.say('agent-1', [], { operations: [result as never] });
    await world.settle();
    expect((await changes(world)).progress).toEqual([]);
  });
});
