import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject } from '../testing/factory.ts';

const render = { name: 'render', cidr: '10.1.0.0/29' };
const batch = { name: 'b', image: 'micro', memoryMiB: 64 };

describeOnEachStore('subnets', (test) => {
  const joined = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 }) });
    return { factory, cluster, caller: factory.caller, clock };
  };

  it('are made, shown, listed, changed and deleted', async () => {
    const { caller } = test().factory;
    const made = await caller.call('POST', '/v1/subnets', { ...render, egress: 'nat' });
    expect(made.statusCode).toBe(201);
    const subnet = made.json();
    expect(subnet).toMatchObject({
      ...render,
      gatewayAddress: '10.1.0.1',
      egress: 'nat',
      dnsDomain: 'render.internal',
      securityRules: [],
      addressCount: 5,
      usedAddressCount: 0,
    });
    const url = `/v1/subnets/${subnet.id}`;
    expect(made.headers.location).toBe(url);
    const securityRules = [{ direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' }];
    const change = { name: 'farm', egress: 'none', securityRules };
    const changed = await caller.ok('PATCH', url, change);
    expect(changed).toEqual({ ...subnet, ...change });
    expect(await caller.ok('GET', url)).toEqual(changed);
    expect((await caller.ok('GET', '/v1/subnets?name=farm')).items).toEqual([changed]);
    expect((await caller.ok('GET', '/v1/subnets')).items).toMatchObject([
      { name: 'default' },
      { name: 'farm' },
    ]);
    expect((await caller.call('DELETE', url)).statusCode).toBe(204);
    expect((await caller.call('GET', url)).statusCode).toBe(404);
    expect((await caller.call('DELETE', url)).statusCode).toBe(404);
    await caller.ok('POST', '/v1/subnets', { ...render, name: 'farm' });
  });

  it('may have the same range, but neither name nor number', async () => {
    const { caller } = test().factory;
    const other = caller.as('admin', otherProject());
    const twin = { ...render, name: 'twin' };
    const made = [
      await caller.ok('POST', '/v1/subnets', render),
      await caller.ok('POST', '/v1/subnets', twin),
    ];
    const taken = await caller.call('POST', '/v1/subnets', render);
    expect(taken.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_NAME_TAKEN' });
    const renamed = await caller.call('PATCH', `/v1/subnets/${made[0].id}`, { name: 'twin' });
    expect(renamed.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_NAME_TAKEN' });
    expect(new Set(made.map((subnet) => subnet.vni)).size).toBe(2);
    expect((await other.ok('GET', '/v1/subnets')).items).toEqual([]);
  });

  it('get numbers of their own, however many are made at once', async () => {
    const { caller } = test().factory;
    const other = caller.as('admin', otherProject());
    const names = Array.from({ length: 12 }, (_, index) => `net-${index % 10}`);
    const made = await Promise.all(
      names.map((name) => caller.call('POST', '/v1/subnets', { ...render, name })),
    );
    const statuses = made.map((answer) => answer.statusCode).sort();
    expect(statuses).toEqual([...new Array(10).fill(201), 409, 409]);
    const { items } = await caller.ok('GET', '/v1/subnets');
    const vnis = items.map((subnet: { vni: number }) => subnet.vni);
    expect(new Set(vnis).size).toBe(11);
    expect((await other.ok('GET', '/v1/subnets')).items).toEqual([]);
  });

  it('of other projects are not there', async () => {
    const { caller } = test().factory;
    const { id } = await caller.ok('POST', '/v1/subnets', render);
    const other = caller.as('admin', otherProject());
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const answer = await other.call(
        method,
        `/v1/subnets/${id}`,
        method === 'PATCH' ? {} : undefined,
      );
      expect(answer.json(), method).toMatchObject({ status: 404, code: 'FACTORY_ERR_NOT_FOUND' });
    }
  });

  it.each([
    ['cidr', { ...render, cidr: '8.8.8.0/24' }],
    ['cidr', { ...render, cidr: '10.0.0.0/8' }],
    ['name', { ...render, name: 'No Name' }],
    ['dnsDomain', { ...render, dnsDomain: 'no domain' }],
    ['egress', { ...render, egress: 'both' }],
    [
      'securityRules[0].action',
      { ...render, securityRules: [{ direction: 'in', protocol: 'tcp' }] },
    ],
    ['vni', { ...render, vni: 7 }],
  ])('are refused with a bad %s', async (field, body) => {
    const answer = await test().factory.caller.call('POST', '/v1/subnets', body);
    expect(answer.json()).toMatchObject({ status: 400, field });
  });

  it('are where a batch says, with all that a host needs to know', async () => {
    const { caller, cluster } = await joined();
    const rule = { direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' };
    const own = { direction: 'out', protocol: 'any', action: 'drop' };
    const first = await caller.ok('POST', '/v1/subnets', { ...render, securityRules: [rule] });
    const second = await caller.ok('POST', '/v1/subnets', { name: 'disks', cidr: '10.2.0.0/24' });
    await caller.ok('POST', '/v1/batches', {
      ...batch,
      count: 2,
      network: { subnet: 'render' },
      nics: [{ subnet: second.id }],
      securityRules: [own],
    });
    const assigned = assignedIn(await cluster.exchange({}, 5_000));
    expect(assigned.map(({ spec }) => spec.network)).toMatchObject([
      {
        subnetId: first.id,
        cidr: render.cidr,
        gatewayAddress: '10.1.0.1',
        ipAddress: '10.1.0.2',
        vni: first.vni,
        egress: 'none',
        dnsDomain: 'render.internal',
        securityRules: [own, rule],
      },
      { subnetId: first.id, ipAddress: '10.1.0.3' },
    ]);
    expect(assigned.map(({ spec }) => spec.nics)).toMatchObject([
      [{ subnetId: second.id, ipAddress: '10.2.0.2', vni: second.vni, securityRules: [own] }],
      [{ subnetId: second.id, ipAddress: '10.2.0.3' }],
    ]);
    const macs = assigned.flatMap(({ spec }) =>
      [spec.network, ...(spec.nics ?? [])].map((nic) => nic.macAddress),
    );
    expect(new Set(macs).size).toBe(4);
    const { items } = await caller.ok('GET', '/v1/vms');
    expect(items[0]).toMatchObject({
      subnetId: first.id,
      ipAddress: '10.1.0.2',
      nics: [{ subnetId: second.id, ipAddress: '10.2.0.2' }],
    });
    const { usedAddressCount } = await caller.ok('GET', `/v1/subnets/${second.id}`);
    expect(usedAddressCount).toBe(2);
  });

  it('tell the hosts of machines that run when their security rules change, and start none', async () => {
    const { caller, cluster } = await joined();
    const { id } = await caller.ok('POST', '/v1/subnets', render);
    const request = { ...batch, count: 3, userData: 'x', network: { subnet: 'render' } };
    const { id: batchId } = await caller.ok('POST', '/v1/batches', request);
    const [on, off, stopped] = assignedIn(await cluster.exchange({}, 5_000));
    if (on === undefined || off === undefined || stopped === undefined) throw new Error('three');
    await cluster.exchange({
      vms: [cluster.report(on), cluster.report(off, { state: 'stopped' }), cluster.report(stopped)],
    });
    await caller.ok('POST', `/v1/vms/${stopped.vmId}:stop`);
    await cluster.exchange();
    const changesIn = ({ commands }: Awaited<ReturnType<typeof cluster.exchange>>) =>
      commands.flatMap(({ command }) => (command.kind === 'setDesired' ? command.changes : []));
    const rule = { direction: 'in', protocol: 'icmp', action: 'accept' };
    await caller.ok('PATCH', `/v1/subnets/${id}`, { securityRules: [rule] });
    const told = changesIn(await cluster.exchange());
    expect(told).toMatchObject([
      { vmId: on.vmId, generation: 2, desired: 'running' },
      { vmId: stopped.vmId, generation: 3, desired: 'stopped' },
    ]);
    const [first] = told;
    expect(first?.spec).toEqual({
      ...on.spec,
      network: { ...on.spec.network, securityRules: [rule] },
    });
    // The one that went off by itself hears of it when it is started.
    await caller.ok('POST', `/v1/vms/${off.vmId}:start`);
    expect(changesIn(await cluster.exchange())).toMatchObject([
      { vmId: off.vmId, spec: { network: { securityRules: [rule] } } },
    ]);
    const own = { direction: 'out', protocol: 'any', action: 'drop' };
    await caller.ok('PATCH', `/v1/batches/${batchId}`, { securityRules: [own] });
    expect(
      changesIn(await cluster.exchange()).map(({ spec }) => spec?.network.securityRules),
    ).toEqual([
      [own, rule],
      [own, rule],
      [own, rule],
    ]);
    await caller.ok('PATCH', `/v1/subnets/${id}`, { egress: 'nat' });
    expect(changesIn(await cluster.exchange())).toMatchObject(
      new Array(3).fill({ spec: { network: { egress: 'nat', securityRules: [own, rule] } } }),
    );
    await caller.ok('PATCH', `/v1/subnets/${id}`, { name: 'farm' });
    expect(changesIn(await cluster.exchange())).toEqual([]);
    const { securityRules } = await caller.ok('GET', `/v1/batches/${batchId}`);
    expect(securityRules).toEqual([own]);
    const bad = { ...own, ports: [1, 2] };
    const refused = await caller.call('PATCH', `/v1/batches/${batchId}`, { securityRules: [bad] });
    expect(refused.json()).toMatchObject({ status: 400, field: 'securityRules[0].ports' });
    const other = caller.as('admin', otherProject());
    const hidden = await other.call('PATCH', `/v1/batches/${batchId}`, { securityRules: [own] });
    expect(hidden.statusCode).toBe(404);
  });

  it('are not deleted while machines are in them, or will be', async () => {
    const { caller, cluster } = await joined();
    const { id } = await caller.ok('POST', '/v1/subnets', render);
    const nics = [{ subnet: 'render' }];
    const { id: batchId } = await caller.ok('POST', '/v1/batches', { ...batch, count: 2, nics });
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    const url = `/v1/subnets/${id}`;
    const refused = await caller.call('DELETE', url);
    expect(refused.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_SUBNET_IN_USE' });
    expect(refused.json().detail).toContain('2 machines are in the subnet');
    await caller.ok('DELETE', `/v1/batches/${batchId}`);
    expect((await caller.call('DELETE', url)).statusCode).toBe(409);
    const gone = vms.map((vm) => cluster.report(vm, { state: 'deleted', generation: 2 }));
    await cluster.exchange({ vms: gone });
    expect((await caller.call('DELETE', url)).statusCode).toBe(204);
  });

  it('that are not there are named', async () => {
    const { caller } = await joined();
    const post = async (more: object) =>
      (await caller.call('POST', '/v1/batches', { ...batch, count: 1, ...more })).json();
    const unknown = { status: 422, code: 'FACTORY_ERR_UNKNOWN_SUBNET' };
    const nowhere = { subnet: 'nowhere' };
    expect(await post({ network: nowhere })).toMatchObject({ ...unknown, field: 'network.subnet' });
    expect(await post({ nics: [nowhere] })).toMatchObject({ ...unknown, field: 'nics[0].subnet' });
    const other = caller.as('admin', otherProject());
    expect((await other.call('GET', '/v1/subnets')).json().items).toEqual([]);
    expect(await post({ nics: [{ subnet: 'default' }] })).toMatchObject({
      status: 400,
      field: 'nics[0].subnet',
    });
    await caller.ok('POST', '/v1/subnets', render);
    await caller.ok('POST', '/v1/subnets', { ...render, name: 'twin' });
    const both = { network: { subnet: 'render' }, nics: [{ subnet: 'twin' }] };
    expect(await post(both)).toMatchObject({
      status: 400,
      field: 'nics[0].subnet',
      detail: expect.stringContaining('could not tell them apart'),
    });
    expect((await caller.ok('GET', '/v1/batches')).items).toEqual([]);
  });
});
