import type { QuotaAmounts } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

const BATCH = { image: 'micro', count: 1, vcpus: 2, memoryMiB: 256, diskGiB: 3 };

describeOnEachStore('quota', (test) => {
  const usedNow = async (): Promise<QuotaAmounts> =>
    (await test().factory.caller.ok('GET', '/v1/quota')).project.used;
  const limit = (limits: object) => {
    const { caller } = test().factory;
    return caller.ok('PUT', `/v1/quota/projects/${caller.projectId}`, limits);
  };
  const joined = async (vcpus = 64) => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus, memoryMiB: 65_536 }) });
    return cluster;
  };
  const create = (name: string, more: object = {}) =>
    test().factory.caller.call('POST', '/v1/batches', { ...BATCH, name, ...more });

  it('counts what a batch asks for from its acceptance, and refuses what is above a limit', async () => {
    await joined(0);
    await limit({ vms: 5, vcpus: 8 });
    expect((await create('a', { count: 3 })).statusCode).toBe(202);
    expect(await usedNow()).toMatchObject({ vms: 3, vcpus: 6, memoryMiB: 768, diskGiB: 9 });
    const refused = await create('b', { count: 2 });
    expect(refused.json()).toMatchObject({
      ...{ status: 409, code: 'FACTORY_ERR_QUOTA_EXCEEDED' },
      ...{ scope: 'project', limit: 'vcpus', used: 6, asked: 4, max: 8 },
    });
    expect((await create('b')).statusCode).toBe(202);
  });

  it('lets exactly as many of 200 requests at once pass as fit', async () => {
    await joined(0);
    await limit({ vms: 37 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => create(`b${index}`)),
    );
    const passed = answers.filter(({ statusCode }) => statusCode === 202);
    const refused = answers.filter(({ statusCode }) => statusCode === 409);
    expect([passed.length, refused.length]).toEqual([37, 163]);
    expect(await usedNow()).toMatchObject({ vms: 37, vcpus: 74 });
  }, 60_000);

  it('frees nothing before the cluster has said that it is gone', async () => {
    const { factory, clock } = test();
    const { cluster, batch, vms } = await withRunning(factory, clock, 3);
    await limit({ vms: 3 });
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    expect(await usedNow()).toMatchObject({ vms: 3 });
    expect((await create('next')).json()).toMatchObject({ limit: 'vms', used: 3, asked: 1 });
    const gone = vms.slice(0, 1).map((vm) => cluster.report(vm, { state: 'deleted' }));
    await cluster.exchange({ vms: gone });
    expect(await usedNow()).toMatchObject({ vms: 2 });
    expect((await create('next')).statusCode).toBe(202);
  });

  it('frees at once what no cluster ever had', async () => {
    await joined(0);
    await limit({ vms: 1 });
    const { id } = (await create('a')).json();
    expect((await create('b')).statusCode).toBe(409);
    await test().factory.caller.ok('DELETE', `/v1/batches/${id}`);
    expect((await create('b')).statusCode).toBe(202);
  });

  it('counts a planned batch once', async () => {
    const cluster = await joined();
    const polling = cluster.exchange({}, 20_000);
    expect((await create('a', { count: 4 })).statusCode).toBe(202);
    expect(assignedIn(await polling)).toHaveLength(4);
    expect(await usedNow()).toMatchObject({ vms: 4, vcpus: 8, diskGiB: 12 });
  });

  it('counts cores by the most that their machines can come to', async () => {
    await joined(0);
    const shapes = [
      { vcpus: 4, memoryMiB: 1024 },
      { vcpus: 8, memoryMiB: 4096 },
    ];
    const body = { name: 'c', image: 'micro', totalVcpus: 20, shapes, diskGiB: 2 };
    await test().factory.caller.ok('POST', '/v1/batches', body);
    expect(await usedNow()).toMatchObject({ vms: 5, vcpus: 20, memoryMiB: 10_240, diskGiB: 10 });
  });

  it('holds for the organisation over all its projects, and a limit of a project stays below', async () => {
    await joined(0);
    const { caller } = test().factory;
    const { organisation } = await caller.ok('GET', '/v1/quota');
    const url = `/v1/quota/organisations/${organisation.id}`;
    await caller.ok('PUT', url, { vms: 2 });
    const above = await caller.call('PUT', `/v1/quota/projects/${caller.projectId}`, { vms: 3 });
    expect(above.json()).toMatchObject({ status: 400, field: 'vms' });
    expect((await create('a', { count: 3 })).json()).toMatchObject({
      ...{ scope: 'organisation', limit: 'vms', used: 0, asked: 3, max: 2 },
    });
    expect((await create('a', { count: 2 })).statusCode).toBe(202);
  });

  it('is set by admins of the organisation, and that of organisations by who runs the factory', async () => {
    const { caller } = test().factory;
    const { organisation } = await caller.ok('GET', '/v1/quota');
    const ofProject = `/v1/quota/projects/${caller.projectId}`;
    const ofOrganisation = `/v1/quota/organisations/${organisation.id}`;
    const member = caller.as('member');
    expect((await member.call('PUT', ofProject, {})).statusCode).toBe(403);
    const stranger = caller.as('admin', otherProject());
    expect((await stranger.call('PUT', ofProject, {})).statusCode).toBe(404);
    expect((await stranger.call('PUT', ofOrganisation, {})).statusCode).toBe(403);
    const unknown = await caller.call('PUT', ofProject, { colours: 3 });
    expect(unknown.json()).toMatchObject({ status: 400, field: 'colours' });
  });

  it('counts volumes, subnets and versions of images', async () => {
    const { caller } = test().factory;
    await joined();
    const { project } = await limit({});
    await limit({ volumes: 2, volumeGiB: 5, subnets: project.used.subnets + 1, images: 1 });
    const volume = (name: string, sizeGiB: number) =>
      caller.call('POST', '/v1/volumes', { name, kind: 'directory', sizeGiB });
    expect((await volume('v1', 3)).statusCode).toBe(201);
    expect((await volume('v2', 3)).json()).toMatchObject({ limit: 'volumeGiB', used: 3, max: 5 });
    expect((await volume('v2', 2)).statusCode).toBe(201);
    expect((await volume('v3', 1)).json()).toMatchObject({ limit: 'volumes', asked: 1, max: 2 });
    const subnet = (name: string) =>
      caller.call('POST', '/v1/subnets', { name, cidr: '10.90.0.0/24' });
    expect((await subnet('one')).statusCode).toBe(201);
    expect((await subnet('two')).json()).toMatchObject({ limit: 'subnets' });
    const image = () => caller.call('POST', '/v1/images', { name: 'mine' });
    expect((await image()).statusCode).toBe(202);
    expect((await image()).json()).toMatchObject({ limit: 'images', used: 1, max: 1 });
  });

  it('counts a machine that is made larger at once, and one that is made smaller when it is', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const report = (more: object) => cluster.exchange({ vms: [cluster.report(first, more)] });
    await report({ state: 'stopped' });
    const resize = (size: object) =>
      factory.caller.call('POST', `/v1/vms/${first.vmId}:resize`, size);
    await limit({ vcpus: 4 });
    expect((await resize({ vcpus: 5 })).json()).toMatchObject({
      limit: 'vcpus',
      asked: 4,
      used: 1,
    });
    const { generation } = (await resize({ vcpus: 4 })).json();
    expect(await usedNow()).toMatchObject({ vcpus: 4 });
    await report({ state: 'stopped', generation });
    const smaller = (await resize({ vcpus: 2 })).json();
    expect(await usedNow()).toMatchObject({ vcpus: 4 });
    await report({ state: 'stopped', generation: smaller.generation });
    expect(await usedNow()).toMatchObject({ vcpus: 2 });
  });
});
