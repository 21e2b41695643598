import { systemClock, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf, TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, TestCaller } from '../testing/factory.ts';

describeOnEachStore('clusters of partners', (test) => {
  /** The factory's operator, and a partner's admin and partner. */
  const given = async () => {
    const { factory, clock } = test();
    const { caller, api } = factory;
    const { id: organisationId } = await caller.ok('POST', '/v1/organisations', { name: 'acme' });
    const as = (role: string) =>
      new TestCaller(api.app, caller.projectId, role, false, { organisationId });
    const grant = { ownerOrganisationId: organisationId, region: 'north', caps: { vms: 3 } };
    const token = async (of: TestCaller, body: object) =>
      of.call('POST', '/v1/enrolment-tokens', body);
    const enrol = async (name: string, secret: string) => {
      const cluster = new TestCluster(api.app, clock, name);
      return { cluster, answer: await cluster.enrol(secret) };
    };
    return {
      factory,
      clock,
      caller,
      admin: as('admin'),
      partner: as('partner'),
      grant,
      token,
      enrol,
    };
  };

  it('enrol with a token that is shown once, is good once, and says whose they are', async () => {
    const { caller, admin, partner, grant, token, enrol } = await given();
    const own = { clusterName: 'acme-1' };
    expect((await token(admin, own)).statusCode).toBe(403);
    const made = (await token(caller, { ...grant, ...own })).json();
    expect(made).toMatchObject({ state: 'open', region: 'north', token: expect.any(String) });
    const { cluster, answer } = await enrol('acme-1', made.token);
    expect(answer.statusCode).toBe(200);
    expect((await enrol('acme-1', made.token)).answer.statusCode).toBe(403);
    const { items } = await admin.ok('GET', '/v1/enrolment-tokens');
    expect(items).toMatchObject([{ id: made.id, state: 'used' }]);
    expect(JSON.stringify(items)).not.toContain(made.token);

    await cluster.openSession({ region: 'south', attributes: { tier: 'gold' } });
    expect(await partner.ok('GET', '/v1/clusters/acme-1')).toMatchObject({
      ...{ state: 'joining', region: 'north', attributes: { tier: 'gold' } },
      management: { ownerOrganisationId: grant.ownerOrganisationId, caps: { vms: 3 } },
    });
    // From now on it is a partner, and brings more by itself; but nobody else's.
    expect((await token(admin, { clusterName: 'acme-2' })).statusCode).toBe(201);
    expect((await token(admin, { clusterName: 'acme-3', caps: {} })).statusCode).toBe(403);
    await test().factory.join('idc-1');
    expect((await token(admin, { clusterName: 'idc-1' })).statusCode).toBe(409);
    expect((await token(partner, own)).statusCode).toBe(403);
  });

  it('can be kept out by revoking the token', async () => {
    const { admin, caller, grant, token, enrol } = await given();
    const made = (await token(caller, { ...grant, clusterName: 'acme-1' })).json();
    expect((await admin.call('DELETE', `/v1/enrolment-tokens/${made.id}`)).statusCode).toBe(204);
    expect((await enrol('acme-1', made.token)).answer.statusCode).toBe(403);
    const other = new TestCaller(test().factory.api.app, caller.projectId, 'admin', false);
    expect((await other.call('DELETE', `/v1/enrolment-tokens/${made.id}`)).statusCode).toBe(404);
  });

  it('are given machines when their conformance run has passed, or an operator says so', async () => {
    const { caller, partner, grant, token, enrol } = await given();
    const made = (await token(caller, { ...grant, clusterName: 'acme-1' })).json();
    const { cluster } = await enrol('acme-1', made.token);
    await cluster.openSession();
    const url = '/v1/clusters/acme-1/conformance';
    expect((await partner.call('GET', url)).statusCode).toBe(404);
    const tell = (outcome: string) =>
      cluster.post('conformance', {
        protocolVersion: 1,
        checks: [{ name: 'hosts', outcome, detail: '0 of 1 hosts are active.' }],
      });
    expect((await tell('failed')).statusCode).toBe(200);
    expect(await partner.ok('GET', url)).toMatchObject({
      passed: false,
      checks: [
        { name: 'hosts', outcome: 'failed' },
        { name: 'clockSkew', outcome: 'passed' },
      ],
    });
    const state = async () => (await caller.ok('GET', '/v1/clusters/acme-1')).state;
    expect(await state()).toBe('joining');
    await tell('passed');
    expect(await state()).toBe('active');
    await caller.ok('POST', '/v1/clusters/acme-1:drain');
    await tell('passed');
    expect(await state()).toBe('draining');
  });

  it('are seen by partners alone, and these see no others', async () => {
    const { factory, caller, clock, partner, grant, token, enrol } = await given();
    const own = await factory.join('idc-1');
    const made = (await token(caller, { ...grant, clusterName: 'acme-1' })).json();
    const { cluster } = await enrol('acme-1', made.token);
    await cluster.openSession();
    for (const each of [own, cluster]) {
      await each.exchange({ capacity: capacityOf(clock, 1, { vcpus: 8, memoryMiB: 4096 }) });
    }
    const names = async (of: TestCaller) =>
      (await of.ok('GET', '/v1/clusters')).items.map(({ name }: { name: string }) => name);
    expect(await names(caller)).toEqual(['acme-1', 'idc-1']);
    expect(await names(partner)).toEqual(['acme-1']);
    expect((await partner.call('GET', '/v1/clusters/idc-1')).statusCode).toBe(404);
    expect((await partner.call('GET', '/v1/clusters/idc-1/hosts')).statusCode).toBe(404);
    expect((await partner.call('GET', '/v1/vms')).statusCode).toBe(403);
    expect((await partner.ok('GET', '/v1/clusters/acme-1/hosts')).items).toMatchObject([
      { hostName: 'host-0', totalVcpus: 8 },
    ]);
    expect((await partner.call('POST', '/v1/clusters/acme-1:drain')).statusCode).toBe(403);
    const stranger = new TestCaller(factory.api.app, caller.projectId, 'admin', false);
    expect((await stranger.call('POST', '/v1/clusters/acme-1:drain')).statusCode).toBe(404);
    expect(await stranger.ok('GET', '/v1/clusters/acme-1')).toMatchObject({ management: null });
  });
});

describeOnEachStore('a cluster', (test) => {
  /** One with two machines that run. */
  const given = async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 }) });
    const request = { name: 'web', image: 'micro', count: 2, memoryMiB: 64 };
    await caller.ok('POST', '/v1/batches', request);
    const vms = assignedIn(await cluster.exchange({}, 5_000));
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm)) });
    const show = () => caller.ok('GET', '/v1/clusters/idc-1');
    return { factory, clock, caller, cluster, vms, show };
  };

  it('that is withdrawn keeps its machines for the notice, then they are deleted', async () => {
    const { clock, caller, cluster, vms, show } = await given();
    await caller.ok('POST', '/v1/clusters/idc-1:withdraw', { noticeSeconds: 3600 });
    expect(await show()).toMatchObject({
      state: 'draining',
      management: { given: { vms: 2 }, noticeUntil: expect.any(String) },
    });
    clock.shift(3_599_000 - 5_000);
    expect((await cluster.exchange()).commands).toEqual([]);
    clock.shift(20_000);
    const withdrawn = async () => ((await show()).state === 'withdrawn' ? true : undefined);
    await waitFor(systemClock, 'the notice to end', 20_000, withdrawn);
    const { commands } = await cluster.exchange({}, 5_000);
    expect(commands[0]?.command).toMatchObject({
      kind: 'setDesired',
      changes: vms.map(({ vmId }) => ({ vmId, desired: 'deleted', generation: 2 })),
    });
    const gone = vms.map((vm) => cluster.report(vm, { state: 'deleted', generation: 2 }));
    await cluster.exchange({ vms: gone });
    expect(await show()).toMatchObject({ management: { given: { vms: 0 } } });
  });

  it('that is drained can be resumed, and its notice is forgotten', async () => {
    const { caller, show } = await given();
    await caller.ok('POST', '/v1/clusters/idc-1:withdraw', { noticeSeconds: 60 });
    await caller.ok('POST', '/v1/clusters/idc-1:resume');
    expect(await show()).toMatchObject({ state: 'active', management: { noticeUntil: null } });
    await caller.ok('POST', '/v1/clusters/idc-1:drain');
    expect(await show()).toMatchObject({ state: 'draining' });
  });

  it('is given no more than its caps allow, and nothing while it drains', async () => {
    const { caller, cluster } = await given();
    await caller.ok('PATCH', '/v1/clusters/idc-1', { caps: { vms: 3 } });
    const request = { name: 'more', image: 'micro', count: 4, memoryMiB: 64 };
    const { id } = await caller.ok('POST', '/v1/batches', request);
    expect(assignedIn(await cluster.exchange({}, 5_000))).toHaveLength(1);
    const reason = async () => (await caller.ok('GET', `/v1/batches/${id}`)).pendingReason;
    expect(await reason()).toContain('its caps are 3 vms');
    await caller.ok('POST', '/v1/clusters/idc-1:drain');
    const drained = async () => ((await reason()).includes('draining') ? true : undefined);
    await caller.ok('POST', '/v1/batches', { ...request, name: 'last', count: 1 });
    await waitFor(systemClock, 'the reason', 20_000, drained);
  });

  it('that is revoked is refused at once, also where it waits, until it has a new token', async () => {
    const { factory, caller, cluster, show } = await given();
    const waiting = cluster.post('exchange', cluster.request({}, 20_000));
    await caller.ok('POST', '/v1/clusters/idc-1:revoke');
    // Its session is over, or it came too late for one.
    expect([409, 403]).toContain((await waiting).statusCode);
    const refused = await cluster.openSession();
    expect(refused.json()).toMatchObject({ code: 'FACTORY_ERR_CLUSTER_REVOKED', status: 403 });
    expect((await caller.call('POST', '/v1/clusters/idc-1:resume')).statusCode).toBe(409);
    const again = await factory.internal('POST', '/internal/v1/bootstrap', {
      clusters: ['idc-1'],
      reenrol: ['idc-1'],
    });
    await cluster.enrol(again.json().clusters[0].token);
    expect((await cluster.openSession()).statusCode).toBe(200);
    expect(await show()).toMatchObject({ state: 'active' });
  });

  it('changes its key: both are good until it has used the new one', async () => {
    const { cluster } = await given();
    const first = await cluster.rotate();
    expect(first.answer.statusCode).toBe(200);
    // It died before it had the answer, and asks again with the key that it has.
    const { useNext, useOld } = await cluster.rotate();
    await cluster.exchange();
    first.useNext();
    expect((await cluster.openSession()).statusCode).toBe(401);
    useNext();
    expect((await cluster.openSession()).statusCode).toBe(200);
    useOld();
    expect((await cluster.openSession()).statusCode).toBe(401);
  });
});
