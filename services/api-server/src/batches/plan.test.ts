import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const BATCH = { name: 'b', image: 'micro', count: 5, vcpus: 2, memoryMiB: 256 };

describeOnEachStore('a dry run of a batch', (test) => {
  const join = async (name: string, vcpus: number) => {
    const { factory, clock } = test();
    const cluster = await factory.join(name);
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus, memoryMiB: 65_536 }) });
    return cluster;
  };
  const plan = (body: object) => test().factory.caller.ok('POST', '/v1/batches:plan', body);

  it('says how it would be split, and keeps nothing', async () => {
    const { caller } = test().factory;
    await join('idc-1', 6);
    await join('idc-2', 4);
    const shape = { vcpus: 2, memoryMiB: 256 };
    expect(await plan(BATCH)).toMatchObject({
      ...{ fits: true, unplaced: 0, reason: null },
      clusters: [
        { name: 'idc-1', machines: [{ shape, count: 3 }], vcpus: 6 },
        { name: 'idc-2', machines: [{ shape, count: 2 }], vcpus: 4 },
      ],
      quota: { asked: { vms: 5, vcpus: 10, memoryMiB: 1280 }, exceeded: null },
    });
    const tooMany = await plan({ ...BATCH, count: 7 });
    expect(tooMany).toMatchObject({ fits: false, unplaced: 2, estimatedSeconds: null });
    expect(tooMany.reason).toContain('2 of 7 machines');
    expect((await caller.ok('GET', '/v1/batches?withDeleted=true')).items).toEqual([]);
  });

  it('splits as the batch is split afterwards', async () => {
    const clusters = [await join('idc-1', 6), await join('idc-2', 4)];
    const { clusters: planned } = await plan(BATCH);
    const polls = clusters.map((cluster) => cluster.exchange({}, 20_000));
    await test().factory.caller.ok('POST', '/v1/batches', BATCH);
    const assigned = (await Promise.all(polls)).map((answer) => assignedIn(answer).length);
    const counts = planned.map(
      (part: { machines: { count: number }[] }) => part.machines[0]?.count,
    );
    expect(assigned).toEqual(counts);
  });

  it('estimates the shapes that cores are made into as the cluster would', async () => {
    await join('idc-1', 40);
    const shapes = [
      { vcpus: 16, memoryMiB: 1024 },
      { vcpus: 4, memoryMiB: 256 },
    ];
    const asked = { name: 'c', image: 'micro', totalVcpus: 40, shapes };
    expect(await plan(asked)).toMatchObject({
      fits: true,
      clusters: [
        {
          machines: [
            { shape: shapes[0], count: 2 },
            { shape: shapes[1], count: 2 },
          ],
        },
      ],
    });
  });

  it('says which limit it would be refused for', async () => {
    const { caller } = test().factory;
    await join('idc-1', 64);
    await caller.ok('PUT', `/v1/quota/projects/${caller.projectId}`, { vcpus: 8 });
    expect((await plan(BATCH)).quota.exceeded).toEqual({
      ...{ scope: 'project', limit: 'vcpus', used: 0, asked: 10, max: 8 },
    });
  });

  it('knows flavors, as batches do', async () => {
    const { caller } = test().factory;
    await join('idc-1', 64);
    await caller.ok('POST', '/v1/flavors', { name: 'm', vcpus: 4, memoryMiB: 512, diskGiB: 7 });
    await caller.ok('POST', '/v1/flavors', { name: 's', vcpus: 1, memoryMiB: 128, diskGiB: 3 });
    const again = { name: 's', vcpus: 1, memoryMiB: 64, diskGiB: 1 };
    const taken = await caller.call('POST', '/v1/flavors', again);
    expect(taken.json()).toMatchObject({ code: 'FACTORY_ERR_NAME_TAKEN', field: 'name' });
    const named = { name: 'b', image: 'micro' };
    const one = await plan({ ...named, count: 2, flavor: 'm' });
    expect(one.quota.asked).toEqual({ vms: 2, vcpus: 8, memoryMiB: 1024, diskGiB: 14 });
    const many = await plan({ ...named, totalVcpus: 9, flavors: ['m', 's'] });
    expect(many.clusters[0].machines).toMatchObject([{ count: 2 }, { count: 1 }]);
    const wrong: readonly [string, object][] = [
      ['flavor', { count: 1, flavor: 'xl' }],
      ['flavor', { count: 1, flavor: 'm', vcpus: 2 }],
      ['flavor', { totalVcpus: 4, flavor: 'm' }],
      ['flavors', { count: 1, flavors: ['m'] }],
      ['flavors[1]', { totalVcpus: 4, flavors: ['m', 'xl'] }],
    ];
    for (const [field, body] of wrong) {
      const answer = await caller.call('POST', '/v1/batches', { ...named, ...body });
      expect(answer.json(), field).toMatchObject({ status: 400, field });
    }
    const { items } = await caller.ok('GET', '/v1/flavors');
    expect(items.map((each: { name: string }) => each.name)).toEqual(['m', 's']);
    expect((await caller.call('DELETE', '/v1/flavors/s')).statusCode).toBe(204);
    const member = caller.as('member');
    expect((await member.call('DELETE', '/v1/flavors/m')).statusCode).toBe(403);
  });
});
