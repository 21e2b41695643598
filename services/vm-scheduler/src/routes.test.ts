import type { Changes } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import {
  operationIdNumber,
  sampleAssignment,
  sampleObservation,
  sampleOffer,
  vmIdNumber,
} from './testing/samples.ts';
import { World } from './testing/world.ts';

const changes = (world: World, query: object) =>
  world.call('POST', '/v1/changes', query) as Promise<Changes>;

describe('the changes', () => {
  it('come in order, each VM once, with what waits for a host', async () => {
    const world = await World.subscribed();
    const vms = [1, 2].map((n) => sampleAssignment(n));
    await world.call('PUT', '/v1/vms', { vms });
    const first = await changes(world, { after: 0, waitMs: 0 });
    expect(first.vms.map(({ vmId, state }) => [vmId, state])).toEqual([
      [vmIdNumber(1), 'scheduled'],
      [vmIdNumber(2), 'scheduled'],
    ]);
    expect(first.waiting).toEqual({ vcpus: 2, memoryMiB: 2 * (128 + 48) });
    world.framework.offer(sampleOffer('o1', 'agent-1', { cpus: 1.1 }));
    await world.settle();
    const second = await changes(world, { after: first.revision, waitMs: 0 });
    expect(second.vms.map(({ state }) => state).toSorted()).toEqual(['launching', 'scheduled']);
    expect(second.waiting?.vcpus).toBe(1);
    const third = await changes(world, { after: second.revision, waitMs: 0 });
    expect(third).toMatchObject({ revision: second.revision, vms: [], operations: [] });
  });

  it('are waited for, up to the time asked', async () => {
    const world = await World.subscribed();
    const start = world.clock.monotonicMs();
    let answeredAtMs: number | undefined;
    const asked = world.service.app
      .inject({ method: 'POST', url: '/v1/changes', payload: { after: 0, waitMs: 20_000 } })
      .then(() => {
        answeredAtMs = world.clock.monotonicMs() - start;
      });
    await world.clock.run(3_000);
    expect(answeredAtMs).toBeUndefined();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    await asked;
    expect(answeredAtMs).toBe(3_000);
  });

  it('lie beyond what any reader has read, even if the clock went back', async () => {
    const world = await World.subscribed();
    const ahead = world.clock.nowMs() + 3_600_000;
    await changes(world, { after: ahead, waitMs: 0 });
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    expect((await changes(world, { after: ahead, waitMs: 0 })).vms).toHaveLength(1);
  });

  it('keep a deleted VM until the reader has passed it on', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1, { desired: 'deleted' })] });
    const { revision } = await changes(world, { after: 0, waitMs: 0 });
    await world.clock.run(3_600_000);
    expect((await changes(world, { after: 0, waitMs: 0 })).vms).toHaveLength(1);
    await changes(world, { after: 0, waitMs: 0, reported: revision });
    await world.clock.run(2_000);
    expect((await changes(world, { after: 0, waitMs: 0 })).vms).toEqual([]);
    expect((await world.store.load()).vms).toEqual([]);
  });

  it('with many console logs come in answers of bounded size', async () => {
    const world = await World.subscribed();
    await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(1)] });
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    const vmId = vmIdNumber(1);
    const ids = Array.from({ length: 64 }, (_, n) => operationIdNumber(n));
    const operations = ids.map((operationId) => ({ operationId, vmId, kind: 'readLog' }));
    await world.call('POST', '/v1/operations', { operations });
    const output = 'x'.repeat(200 * 1024);
    const results = ids.map((operationId) => ({
      operationId,
      vmId,
      outcome: 'succeeded' as const,
      message: '',
      output,
    }));
    world.framework.say('agent-1', [sampleObservation(1)], { operations: results });
    await world.settle();
    const seen = new Set<string>();
    for (let after = 0, pages = 0; pages < 20; pages += 1) {
      const page = await changes(world, { after, waitMs: 0 });
      expect(page.operations.length * output.length).toBeLessThanOrEqual(4 * 1024 * 1024);
      for (const { operationId } of page.operations) seen.add(operationId);
      if (page.revision === after) break;
      after = page.revision;
    }
    expect(seen.size).toBe(64);
  });

  it('of a bad question are a 400 that names the field', async () => {
    const world = await World.subscribed();
    const payload = { after: -1, waitMs: 0 };
    const answer = await world.service.app.inject({ method: 'POST', url: '/v1/changes', payload });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ field: 'after' });
  });
});

describe('wishes', () => {
  it('for machines that are not there are answered with their ids', async () => {
    const world = await World.running();
    const changes = [1, 2].map((n) => ({
      ...{ vmId: vmIdNumber(n), generation: 2, desired: 'stopped' },
    }));
    expect(await world.call('POST', '/v1/desired', { changes })).toEqual({
      unknown: [vmIdNumber(2)],
    });
    expect(world.record().assignment.desired).toBe('stopped');
  });
});
