import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const BIG = { vcpus: 8, memoryMiB: 8192 };
const folder = { name: 'scratch', kind: 'directory', sizeGiB: 10 };
const disk = { name: 'disk', kind: 'block', sizeGiB: 2 };

describeOnEachStore('a volume', (test) => {
  it('is made in a cluster, shown, and deleted once its cluster has nothing of it', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    expect((await caller.call('POST', '/v1/volumes', folder)).statusCode).toBe(503);
    const cluster = await factory.join('idc-1');
    const volume = await caller.ok('POST', '/v1/volumes', folder);
    expect(volume).toMatchObject({ ...folder, cluster: 'idc-1', machines: 0, usedBytes: null });
    const again = await caller.call('POST', '/v1/volumes', folder);
    expect(again.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_NAME_TAKEN' });
    const url = `/v1/volumes/${volume.id}`;
    const capacity = capacityOf(clock, 1, BIG);
    await cluster.exchange({
      capacity: { ...capacity, volumes: [{ volumeId: volume.id, usedBytes: 4096 }] },
    });
    expect(await caller.ok('GET', url)).toMatchObject({ usedBytes: 4096 });
    expect((await caller.ok('GET', '/v1/volumes?name=scratch')).items).toHaveLength(1);
    expect(await caller.ok('DELETE', url)).toMatchObject({ state: 'deleting' });
    // What was said before the command arrived proves nothing.
    const { commands } = await cluster.exchange({ capacity: { ...capacity, volumes: [] } });
    expect(await caller.ok('GET', url)).toMatchObject({ state: 'deleting' });
    expect(commands).toMatchObject([{ command: { kind: 'dropVolumes', volumeIds: [volume.id] } }]);
    await cluster.exchange({ capacity: { ...capacity, volumes: [] } });
    expect((await caller.call('GET', url)).statusCode).toBe(404);
    expect(await caller.ok('POST', '/v1/volumes', folder)).toMatchObject({ state: 'available' });
  });

  it('is named by a batch, whose machines go to its cluster and keep it from being deleted', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const [one, two] = [await factory.join('idc-1'), await factory.join('idc-2')];
    for (const each of [one, two]) await each.exchange({ capacity: capacityOf(clock, 1, BIG) });
    const unclear = await caller.call('POST', '/v1/volumes', folder);
    expect(unclear.json()).toMatchObject({ status: 400, field: 'cluster' });
    const volume = await caller.ok('POST', '/v1/volumes', { ...folder, cluster: 'idc-2' });
    const volumes = [{ volume: 'scratch', path: '/data' }];
    const batch = { name: 'render', image: 'micro', count: 4, memoryMiB: 128, volumes };
    const { id } = await caller.ok('POST', '/v1/batches', batch);
    const given = assignedIn(await two.exchange({}, 5_000));
    expect(given.map(({ spec }) => spec.volumes)).toEqual(
      new Array(4).fill([
        {
          ...{ volumeId: volume.id, kind: 'directory', tag: 'scratch', sizeGiB: 10 },
          guestPath: '/data',
          readOnly: false,
          leaseEpoch: 1,
        },
      ]),
    );
    const refused = await caller.call('DELETE', `/v1/volumes/${volume.id}`);
    expect(refused.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_VOLUME_IN_USE' });
    await caller.ok('DELETE', `/v1/batches/${id}`);
    await two.exchange({ vms: given.map((vm) => two.report(vm, { state: 'deleted' })) });
    expect(await caller.ok('DELETE', `/v1/volumes/${volume.id}`)).toMatchObject({ machines: 0 });
  });

  it('is attached to a stopped machine, and detached, which its host hears as a new spec', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, BIG) });
    await caller.ok('POST', '/v1/volumes', disk);
    await caller.ok('POST', '/v1/batches', { name: 'a', image: 'micro', count: 1, memoryMiB: 128 });
    const [vm] = assignedIn(await cluster.exchange({}, 5_000));
    if (vm === undefined) throw new Error('nothing was assigned');
    const url = `/v1/vms/${vm.vmId}`;
    const attach = () => caller.call('POST', `${url}:attachVolume`, { volume: 'disk', path: '/d' });
    await cluster.exchange({ vms: [cluster.report(vm)] });
    await caller.ok('POST', `${url}:stop`, {});
    expect((await attach()).json()).toMatchObject({
      status: 409,
      detail: expect.stringContaining('try again'),
    });
    await cluster.exchange({ vms: [cluster.report(vm, { state: 'stopped', generation: 2 })] });
    expect((await attach()).statusCode).toBe(202);
    expect((await attach()).statusCode).toBe(202);
    const said = async () =>
      (await cluster.exchange()).commands.flatMap(({ command }) =>
        command.kind === 'setDesired' ? command.changes : [],
      );
    const [change] = (await said()).filter(({ spec }) => spec !== undefined);
    expect(change).toMatchObject({
      generation: 3,
      desired: 'stopped',
      spec: { volumes: [{ tag: 'disk', guestPath: '/d', leaseEpoch: 2 }] },
    });
    const [volume] = (await caller.ok('GET', '/v1/volumes')).items;
    expect(volume).toMatchObject({ machines: 1 });
    await caller.ok('POST', `${url}:detachVolume`, { volume: 'disk' });
    const [after] = await said();
    expect(after?.generation).toBe(4);
    expect(after?.spec?.volumes).toBeUndefined();
    expect((await caller.ok('GET', `/v1/volumes/${volume.id}`)).machines).toBe(0);
  });

  it('is attached to a running machine, and nobody else gets it before that has given it up', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, BIG) });
    await caller.ok('POST', '/v1/volumes', disk);
    await caller.ok('POST', '/v1/batches', { name: 'a', image: 'micro', count: 2, memoryMiB: 128 });
    const [one, two] = assignedIn(await cluster.exchange({}, 5_000));
    if (one === undefined || two === undefined) throw new Error('nothing was assigned');
    await cluster.exchange({ vms: [one, two].map((vm) => cluster.report(vm)) });
    const change = (vm: typeof one, verb: string) =>
      caller.call('POST', `/v1/vms/${vm.vmId}:${verb}`, { volume: 'disk' });
    expect((await change(one, 'attachVolume')).statusCode).toBe(202);
    const { volumes = [], ...spec } = one.spec;
    const mount = { volumeId: (await caller.ok('GET', '/v1/volumes')).items[0].id };
    const has = [
      { ...mount, kind: 'block', tag: 'disk', readOnly: false, leaseEpoch: 2, sizeGiB: 2 },
    ] as const;
    const report = (generation: number, told: readonly (typeof has)[number][]) => {
      const applied = { ...spec, volumes: [...told] };
      return cluster.exchange({ vms: [cluster.report(one, { generation, applied })] });
    };
    await report(2, has);
    expect(await caller.ok('GET', `/v1/vms/${one.vmId}`)).toMatchObject({
      volumes: [{ name: 'disk', kind: 'block', readOnly: false }],
    });
    expect((await change(one, 'detachVolume')).json()).toMatchObject({
      generation: 3,
      volumes: [],
    });
    for (const vm of [one, two]) {
      expect((await change(vm, 'attachVolume')).json()).toMatchObject({ status: 409 });
    }
    // Its guest did not let it go.
    await report(3, has);
    expect((await change(two, 'attachVolume')).json()).toMatchObject({ status: 409 });
    expect((await change(one, 'detachVolume')).json()).toMatchObject({ generation: 4 });
    await report(4, []);
    expect((await change(two, 'attachVolume')).statusCode).toBe(202);
    expect(volumes).toEqual([]);
  });

  it('that is a disk is given to one machine at a time, each time under a newer lease', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, BIG) });
    await caller.ok('POST', '/v1/volumes', disk);
    const batch = (name: string, count: number) => ({
      ...{ name, image: 'micro', count, memoryMiB: 128 },
      volumes: [{ volume: 'disk' }],
    });
    const wide = await caller.call('POST', '/v1/batches', batch('wide', 2));
    expect(wide.json()).toMatchObject({ code: 'FACTORY_ERR_VOLUME_UNUSABLE', field: 'volumes' });
    const first = await caller.ok('POST', '/v1/batches', batch('first', 1));
    const second = await caller.call('POST', '/v1/batches', batch('second', 1));
    expect(second.json()).toMatchObject({ code: 'FACTORY_ERR_VOLUME_UNUSABLE' });
    const given = assignedIn(await cluster.exchange({}, 5_000));
    expect(given[0]?.spec.volumes).toMatchObject([{ kind: 'block', sizeGiB: 2, leaseEpoch: 2 }]);
    await caller.ok('DELETE', `/v1/batches/${first.id}`);
    await cluster.exchange({ vms: given.map((vm) => cluster.report(vm, { state: 'deleted' })) });
    await caller.ok('POST', '/v1/batches', batch('second', 1));
    const next = assignedIn(await cluster.exchange({}, 5_000));
    expect(next[0]?.spec.volumes).toMatchObject([{ leaseEpoch: 3 }]);
  });
});
