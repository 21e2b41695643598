import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore, type StoreTest } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const SIZE = { vcpus: 64, memoryMiB: 65_536 };

/** Batches `web` and `db-1`, on two hosts, made a minute apart. */
async function withMachines({ factory, clock }: StoreTest) {
  const { caller } = factory;
  const cluster = await factory.join('idc-1');
  await cluster.exchange({ capacity: capacityOf(clock, 4, SIZE, ['micro', 'debian-12']) });
  const request = { count: 3, memoryMiB: 64 };
  const make = async (name: string, image: string, labels: object) => {
    const polling = cluster.exchange({}, 5_000);
    await caller.ok('POST', '/v1/batches', { ...request, name, image, labels });
    const vms = assignedIn(await polling);
    const reports = vms.map((vm, index) => cluster.report(vm, { hostName: `host-${index % 2}` }));
    await cluster.exchange({ vms: reports });
  };
  await make('web', 'micro', { tier: 'front', team: 'a' });
  clock.shift(60_000);
  const betweenMs = clock.nowMs() - 30_000;
  await cluster.exchange({ capacity: capacityOf(clock, 4, SIZE, ['micro', 'debian-12']) });
  await make('db-1', 'debian-12', { tier: 'back', team: 'a' });
  return { caller, cluster, between: new Date(betweenMs).toISOString() };
}

describeOnEachStore('lists of machines and batches', (test) => {
  it('show what passes all filters', async () => {
    const { caller, cluster, between } = await withMachines(test());
    const names = async (query: string) => {
      const page = await caller.ok('GET', `/v1/vms?${query}`);
      return page.items.map(({ name }: { name: string }) => name);
    };
    const web = ['web-1', 'web-2', 'web-3'];
    const db = ['db-1-1', 'db-1-2', 'db-1-3'];
    expect(await names('')).toEqual([...web, ...db]);
    expect(await names('namePrefix=web-')).toEqual(web);
    expect(await names('namePrefix=db-1-2')).toEqual(['db-1-2']);
    expect(await names('image=debian-12')).toEqual(db);
    expect(await names('host=host-1')).toEqual(['web-2', 'db-1-2']);
    expect(await names(`clusterId=${cluster.clusterId}&host=host-0`)).toHaveLength(4);
    expect(await names(`clusterId=clu_${'0'.repeat(32)}`)).toEqual([]);
    expect(await names('label=tier%3Dfront')).toEqual(web);
    expect(await names('label=tier%3Dnone')).toEqual([]);
    expect(await names(`createdAfter=${between}`)).toEqual(db);
    expect(await names(`createdBefore=${between}&state=running`)).toEqual(web);
    expect(await names(`createdAfter=${between}&createdBefore=${between}`)).toEqual([]);
    const batches = async (query: string) => {
      const page = await caller.ok('GET', `/v1/batches?${query}`);
      return page.items.map(({ name }: { name: string }) => name);
    };
    expect(await batches('label=team%3Da&sort=name')).toEqual(['db-1', 'web']);
    expect(await batches('label=tier%3Dback&image=debian-12')).toEqual(['db-1']);
    expect(await batches(`createdBefore=${between}&namePrefix=w`)).toEqual(['web']);
  });

  it('go on in the same order page by page, whatever the order', async () => {
    const { caller } = await withMachines(test());
    const pages = async (path: string) => {
      const names: string[] = [];
      let cursor = '';
      for (;;) {
        const page = await caller.ok('GET', `${path}&limit=2${cursor}`);
        names.push(...page.items.map(({ name }: { name: string }) => name));
        if (page.nextCursor === null) return names;
        cursor = `&cursor=${page.nextCursor}`;
      }
    };
    const born = ['web-1', 'web-2', 'web-3', 'db-1-1', 'db-1-2', 'db-1-3'];
    expect(await pages('/v1/vms?sort=createdAt')).toEqual(born);
    expect(await pages('/v1/vms?sort=-createdAt')).toEqual(born.toReversed());
    expect(await pages('/v1/vms?sort=name')).toEqual(born.toSorted());
    expect(await pages('/v1/vms?sort=-name&state=running')).toEqual(born.toSorted().toReversed());
    expect(await pages('/v1/batches?sort=name')).toEqual(['db-1', 'web']);
    expect(await pages('/v1/batches?sort=-createdAt')).toEqual(['db-1', 'web']);
  });

  it('refuse what can not be read, and a cursor of another order', async () => {
    const { caller } = await withMachines(test());
    const page = await caller.ok('GET', '/v1/vms?sort=name&limit=1');
    for (const query of [
      ...['sort=size', 'createdAfter=yesterday', 'label=x', 'label=%3Dx', 'namePrefix=A'],
      ...[`cursor=${page.nextCursor}`, 'sort=name&cursor=Zm9v', 'clusterId=vm_1'],
    ]) {
      const answer = await caller.call('GET', `/v1/vms?${query}`);
      expect(answer.statusCode, query).toBe(400);
    }
  });
});
