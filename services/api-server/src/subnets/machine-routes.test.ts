import { systemClock, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

const render = { name: 'render', cidr: '10.1.0.0/29' };
const batch = { name: 'b', image: 'micro', memoryMiB: 64 };

describeOnEachStore('the networks of one machine', (test) => {
  const ssh = { direction: 'in', protocol: 'tcp', ports: [22, 22], action: 'accept' } as const;
  const ping = { direction: 'in', protocol: 'icmp', action: 'accept' } as const;
  const web = { direction: 'in', protocol: 'tcp', ports: [443, 443], action: 'accept' } as const;

  const running = async (more: object = {}) => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const attributes = [
      { name: 'external_addresses', type: 'text' as const, text: '192.0.2.16/28' },
    ];
    const capacity = capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 });
    const hosts = capacity.hosts.map((host) => ({ ...host, attributes }));
    await cluster.exchange({ capacity: { ...capacity, hosts } });
    const { caller } = factory;
    await caller.ok('POST', '/v1/subnets', { ...render, egress: 'nat', securityRules: [ping] });
    const network = { subnet: 'render' };
    const rules = { securityRules: [ssh] };
    await caller.ok('POST', '/v1/batches', { ...batch, count: 2, network, ...rules, ...more });
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    const reports = vms.map((vm) => cluster.report(vm, { state: 'running', generation: 1 }));
    await cluster.exchange({ vms: reports });
    return { cluster, caller, vms };
  };
  type Exchanged = Awaited<ReturnType<Awaited<ReturnType<typeof running>>['cluster']['exchange']>>;
  const wishesIn = (answer: Exchanged) =>
    answer.commands.flatMap(({ command }) =>
      command.kind === 'setDesired' ? command.changes : [],
    );

  it('have rules of their own in place of the batch, with a wish that no other overtakes', async () => {
    const { caller, cluster, vms } = await running();
    const [one, other] = vms;
    if (one === undefined || other === undefined) throw new Error('no machines');
    const url = `/v1/vms/${one.vmId}`;
    const changed = await caller.ok('PATCH', url, { securityRules: [web] });
    expect(changed).toMatchObject({ securityRules: [web], generation: 2 });
    const [wish, ...more] = wishesIn(await cluster.exchange());
    expect(wish).toMatchObject({ vmId: one.vmId, generation: 2, desired: 'running' });
    expect(wish?.spec?.network.securityRules).toEqual([web, ping]);
    expect(more).toEqual([]);

    // Rules of the batch are those of the other machine; this one hears of nothing new in them.
    await caller.ok('PATCH', `/v1/batches/${changed.batchId}`, { securityRules: [] });
    const specs = new Map(
      wishesIn(await cluster.exchange()).map(({ vmId, spec }) => [vmId, spec?.network]),
    );
    expect(specs.get(one.vmId)?.securityRules).toEqual([web, ping]);
    expect(specs.get(other.vmId)?.securityRules).toEqual([ping]);

    expect(await caller.ok('PATCH', url, { securityRules: [] })).toMatchObject({ generation: 4 });
    expect(await caller.ok('PATCH', url, { securityRules: [] })).toMatchObject({ generation: 4 });
    const back = await caller.ok('PATCH', url, { securityRules: null });
    expect(back).toMatchObject({ securityRules: null, generation: 5 });
    const last = wishesIn(await cluster.exchange()).at(-1);
    expect(last).toMatchObject({ generation: 5 });
    expect(last?.spec?.network.securityRules).toEqual([ping]);
  });

  it('are changed of a machine that has ended by itself, and do not start it', async () => {
    const { caller, cluster, vms } = await running();
    const [one] = vms;
    if (one === undefined) throw new Error('no machines');
    await cluster.exchange({
      vms: [cluster.report(one, { state: 'stopped', generation: 1, reason: 'GUEST_POWERED_OFF' })],
    });
    const url = `/v1/vms/${one.vmId}`;
    const changed = await caller.ok('PATCH', url, { securityRules: [web] });
    expect(changed).toMatchObject({ securityRules: [web], generation: 1, state: 'stopped' });
    expect(wishesIn(await cluster.exchange())).toEqual([]);
    await caller.ok('POST', `${url}:start`);
    const [start] = wishesIn(await cluster.exchange());
    expect(start?.spec?.network.securityRules).toEqual([web, ping]);
  });

  it('are not changed by what makes no sense', async () => {
    const { caller, vms } = await running();
    const url = `/v1/vms/${vms[0]?.vmId}`;
    const bad = { ...ping, ports: [1, 2] };
    const refused = (await caller.call('PATCH', url, { securityRules: [bad] })).json();
    expect(refused).toMatchObject({ status: 400, field: 'securityRules[0].ports' });
    expect((await caller.call('PATCH', url, {})).statusCode).toBe(400);
    await caller.ok('DELETE', url);
    expect((await caller.call('PATCH', url, { securityRules: [] })).statusCode).toBe(409);
  });

  it('have an external address where it is asked for, as its host tells', async () => {
    const { caller, cluster, vms } = await running({ externalAddress: true });
    const [one] = vms;
    if (one === undefined) throw new Error('no machines');
    expect(vms.map(({ spec }) => spec.externalAddress)).toEqual([true, true]);
    const told = { state: 'running', generation: 1 } as const;
    const report = { ...cluster.report(one, told), externalAddress: '192.0.2.16' };
    await cluster.exchange({ vms: [report] });
    const url = `/v1/vms/${one.vmId}`;
    expect(await caller.ok('GET', url)).toMatchObject({ externalAddress: '192.0.2.16' });
    const taken = await caller.ok('PATCH', url, { externalAddress: false });
    expect(taken).toMatchObject({ generation: 2, externalAddress: '192.0.2.16' });
    const [wish] = wishesIn(await cluster.exchange());
    expect(wish?.spec?.externalAddress).toBe(false);
    await cluster.exchange({ vms: [cluster.report(one, { ...told, generation: 2 })] });
    expect(await caller.ok('GET', url)).toMatchObject({ externalAddress: null });
    await caller.ok('PATCH', url, { externalAddress: true });
    // Its host had none left: it may be asked again.
    await cluster.exchange({ vms: [cluster.report(one, { ...told, generation: 3 })] });
    expect(await caller.ok('PATCH', url, { externalAddress: true })).toMatchObject({
      generation: 4,
    });
  });

  it('have no external address where their subnet has no egress', async () => {
    const { caller, vms } = await running();
    const asked = { ...batch, name: 'shut', count: 1, externalAddress: true };
    const refused = (await caller.call('POST', '/v1/batches', asked)).json();
    expect(refused).toMatchObject({ status: 400, field: 'externalAddress' });
    expect(refused.detail).toContain('./factory subnet change default --egress nat');
    const { items } = await caller.ok('GET', '/v1/subnets?name=render');
    await caller.ok('PATCH', `/v1/subnets/${items[0].id}`, { egress: 'none' });
    const url = `/v1/vms/${vms[0]?.vmId}`;
    const late = (await caller.call('PATCH', url, { externalAddress: true })).json();
    expect(late).toMatchObject({ status: 400, field: 'externalAddress' });
  });

  it('wait for a cluster that has external addresses', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const capacity = capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 });
    const hosts = capacity.hosts.map((host) => ({ ...host, attributes: [] }));
    await cluster.exchange({ capacity: { ...capacity, hosts } });
    const { caller } = factory;
    await caller.ok('POST', '/v1/subnets', { ...render, egress: 'nat' });
    const network = { subnet: 'render' };
    await caller.ok('POST', '/v1/batches', { ...batch, count: 1, network, externalAddress: true });
    const why = async (): Promise<string | undefined> =>
      (await caller.ok('GET', '/v1/batches')).items[0].pendingReason ?? undefined;
    const reason = await waitFor(systemClock, 'the batch to be planned', 10_000, why);
    expect(reason).toContain('has external addresses');
    expect(assignedIn(await cluster.exchange())).toEqual([]);
  });
});
