import { generateKeyPairSync } from 'node:crypto';
import { LINK_CLUSTER_HEADER, LINK_SIGNATURE_HEADER } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf, TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, startFactory, type TestFactory } from '../testing/factory.ts';

async function tokenFor({ internal }: TestFactory, name: string, more: object = {}) {
  const answer = await internal('POST', '/internal/v1/bootstrap', { clusters: [name], ...more });
  return answer.json().clusters[0];
}

describeOnEachStore('the cluster link', (test) => {
  const ask = async (factory: TestFactory, name: string, count: number) =>
    factory.caller.ok('POST', '/v1/batches', { name, image: 'micro', count, memoryMiB: 64 });
  const withRoom = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    return { factory, clock, cluster };
  };

  it('takes a cluster in once for a token, under its own name', async () => {
    const { factory, clock } = test();
    const { token } = await tokenFor(factory, 'idc-1');
    const thief = new TestCluster(factory.api.app, clock, 'idc-2');
    expect((await thief.enrol(token)).json()).toMatchObject({ status: 403, field: 'token' });
    const cluster = new TestCluster(factory.api.app, clock, 'idc-1');
    const first = await cluster.enrol(token);
    expect(first.statusCode).toBe(200);
    expect((await new TestCluster(factory.api.app, clock, 'idc-1').enrol(token)).statusCode).toBe(
      403,
    );
    expect((await cluster.enrol('x'.repeat(43))).statusCode).toBe(403);
    // The answer may have been lost: it is given again to whoever has the same key.
    expect((await cluster.enrol(token)).json()).toEqual(first.json());
    // And until its first session a cluster that lost its key can get another token.
    const again = await tokenFor(factory, 'idc-1');
    expect((await cluster.enrol(again.token)).statusCode).toBe(200);
    await cluster.openSession();
    expect((await tokenFor(factory, 'idc-1')).token).toBeNull();
  });

  it('voids tokens that are too old', async () => {
    const { factory, clock } = test();
    const { token } = await tokenFor(factory, 'idc-1');
    clock.shift(25 * 3_600_000);
    const cluster = new TestCluster(factory.api.app, clock, 'idc-1');
    expect((await cluster.enrol(token)).statusCode).toBe(403);
  });

  it('wants an Ed25519 public key', async () => {
    const { factory } = test();
    const { token } = await tokenFor(factory, 'idc-1');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const ed = generateKeyPairSync('ed25519').privateKey;
    const keys = [
      'nonsense',
      rsa.export({ type: 'spki', format: 'pem' }).toString().slice(0, 1000),
      ed.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ];
    for (const publicKey of keys) {
      const payload = { protocolVersion: 1, token, name: 'idc-1', publicKey };
      const answer = await factory.api.app.inject({
        method: 'POST',
        url: '/cluster-link/v1/enrol',
        payload,
      });
      expect(answer.json()).toMatchObject({ status: 400, field: 'publicKey' });
    }
  });

  it('refuses what is unsigned, signed wrongly, of another time, or sent before', async () => {
    const { cluster, clock } = await withRoom();
    const body = cluster.request();
    const flawed = await cluster.post('exchange', body, {
      overrides: { [LINK_SIGNATURE_HEADER]: 'AAAA' },
    });
    expect(flawed.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_BAD_SIGNATURE' });
    const stranger = await cluster.post('exchange', body, {
      overrides: { [LINK_CLUSTER_HEADER]: `clu_${'0'.repeat(32)}` },
    });
    expect(stranger.json()).toMatchObject({ status: 401, field: LINK_CLUSTER_HEADER });
    const bare = await cluster.post('exchange', body, {
      overrides: { [LINK_SIGNATURE_HEADER]: '' },
    });
    expect(bare.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_UNSIGNED' });
    for (const offMs of [-301_000, 3_600_000]) {
      const timestampMs = clock.nowMs() + offMs;
      const late = await cluster.post('exchange', body, { timestampMs });
      expect(late.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_CLOCK_SKEW' });
    }
    const nonce = 'n'.repeat(20);
    expect((await cluster.post('exchange', body, { nonce })).statusCode).toBe(200);
    const replay = await cluster.post('exchange', body, { nonce });
    expect(replay.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_REPLAYED' });
    const session = await cluster.post('sessions', { protocolVersion: 1 }, { nonce });
    expect(session.json()).toMatchObject({ status: 401, code: 'FACTORY_ERR_REPLAYED' });
  });

  it('refuses other versions and malformed bodies', async () => {
    const { cluster } = await withRoom();
    const old = await cluster.post('exchange', { ...cluster.request(), protocolVersion: 0 });
    expect(old.json()).toMatchObject({ status: 426, code: 'FACTORY_ERR_UNSUPPORTED_PROTOCOL' });
    const bad = await cluster.post('exchange', { ...cluster.request(), waitMs: 'long' });
    expect(bad.json()).toMatchObject({ status: 400, field: 'waitMs' });
    expect((await cluster.post('exchange', 7)).json()).toMatchObject({ status: 400 });
  });

  it('sends commands again until they are acknowledged, in order', async () => {
    const { factory, cluster } = await withRoom();
    const polling = cluster.exchange({}, 5_000);
    const first = await ask(factory, 'first', 2);
    await polling;
    await ask(factory, 'second', 1);
    await factory.caller.ok('DELETE', `/v1/batches/${first.id}`);
    cluster.appliedSeq = 0;
    const seqs = async (applied: number) => {
      const body = { ...cluster.request(), appliedCommandSeq: applied };
      const answer = await cluster.post('exchange', body);
      return answer.json().commands.map((each: { seq: number }) => each.seq);
    };
    await expect.poll(() => seqs(0)).toEqual([1, 2, 3]);
    expect(await seqs(0)).toEqual([1, 2, 3]);
    expect(await seqs(2)).toEqual([3]);
    // Acknowledged ones are gone, also for a cluster-server that counts anew.
    expect(await seqs(0)).toEqual([3]);
    expect(await seqs(3)).toEqual([]);
  });

  it('fences out older sessions, also those that wait', async () => {
    const { cluster } = await withRoom();
    const waiting = cluster.post('exchange', cluster.request({}, 20_000));
    const old = cluster.request();
    await cluster.openSession();
    expect((await waiting).json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_STALE_EPOCH' });
    const stale = await cluster.post('exchange', old);
    expect(stale.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_STALE_EPOCH' });
    expect((await cluster.exchange()).commands).toEqual([]);
  });

  it('takes only newer reports, of machines that the cluster has', async () => {
    const { factory, cluster } = await withRoom();
    const polling = cluster.exchange({}, 5_000);
    await ask(factory, 'web', 1);
    const [vm] = assignedIn(await polling);
    if (vm === undefined) throw new Error('no machine was assigned');
    const state = async () => {
      const { state, message } = await factory.caller.ok('GET', `/v1/vms/${vm.vmId}`);
      return [state, message];
    };
    const report = (revision: number, message: string, more = {}) =>
      cluster.report(vm, { revision, message, ...more });
    // Twice in one exchange, the newer one first.
    await cluster.exchange({ vms: [report(7, 'new'), report(6, 'old')] });
    expect(await state()).toEqual(['running', 'new']);
    await cluster.exchange({ vms: [report(7, 'same'), report(5, 'older')] });
    await cluster.exchange({ vms: [report(9, 'other life', { assignmentEpoch: 2 })] });
    expect(await state()).toEqual(['running', 'new']);
    const other = await factory.join('idc-2');
    await other.exchange({ vms: [report(10, 'not mine')] });
    expect(await state()).toEqual(['running', 'new']);
    await cluster.exchange({ vms: [report(11, 'gone', { state: 'deleted' })] });
    await cluster.exchange({ vms: [report(12, 'back?', { state: 'running' })] });
    expect(await state()).toEqual(['deleted', 'gone']);
    const metrics = await factory.api.app.inject('/metrics');
    expect(metrics.body).toContain('factory_api_vm_reports_total{outcome="foreign"} 2');
  });

  it('keeps when a machine was first seen running', async () => {
    const { factory, clock, cluster } = await withRoom();
    const polling = cluster.exchange({}, 5_000);
    await ask(factory, 'web', 1);
    const [vm] = assignedIn(await polling);
    if (vm === undefined) throw new Error('no machine was assigned');
    const seen = async () => {
      const { timeline } = await factory.caller.ok('GET', `/v1/vms/${vm.vmId}`);
      return timeline.seen;
    };
    await cluster.exchange({ vms: [cluster.report(vm, { state: 'preparing', timeline: {} })] });
    expect(await seen()).toBeUndefined();
    await cluster.exchange({ vms: [cluster.report(vm)] });
    const firstSeenMs = await seen();
    expect(firstSeenMs).toBeGreaterThan(0);
    clock.shift(1_000);
    await cluster.exchange({ vms: [cluster.report(vm)] });
    expect(await seen()).toBe(firstSeenMs);
  });

  it('begins the log anew for a cluster that enrols again', async () => {
    const { factory, clock, cluster } = await withRoom();
    const polling = cluster.exchange({}, 5_000);
    await ask(factory, 'web', 3);
    const vms = assignedIn(await polling);
    const gone = vms.slice(0, 1).map((vm) => cluster.report(vm, { state: 'deleted' }));
    await cluster.exchange({ vms: gone });
    const { token, clusterId } = await tokenFor(factory, 'idc-1', { reenrol: ['idc-1'] });
    const fresh = new TestCluster(factory.api.app, clock, 'idc-1');
    await fresh.enrol(token);
    expect(fresh.clusterId).toBe(clusterId);
    const fenced = await cluster.post('exchange', cluster.request());
    expect(fenced.statusCode).toBe(401);
    await fresh.openSession();
    const { commands } = await fresh.exchange();
    expect(commands[0]?.seq).toBe(1);
    const again = commands.flatMap(({ command }) =>
      command.kind === 'assignVms' ? command.vms : [],
    );
    expect(again.map((vm) => vm.vmId)).toEqual(vms.slice(1).map((vm) => vm.vmId));
  });

  it('wakes a poll at another api-server', async () => {
    const { clock, cluster } = await withRoom();
    const second = await startFactory(test().database, { clock });
    const startedMs = clock.monotonicMs();
    const polling = cluster.exchange({}, 20_000);
    await second.caller.ok('POST', '/v1/batches', { name: 'far', image: 'micro', count: 1 });
    expect(assignedIn(await polling)).toHaveLength(1);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(5_000);
    await second.close();
  });

  it('is seen in the list of clusters', async () => {
    const { factory, clock } = await withRoom();
    const show = async () => (await factory.caller.ok('GET', '/v1/clusters')).items[0];
    expect(await show()).toMatchObject({
      name: 'idc-1',
      connected: true,
      capacity: { hosts: 4, activeHosts: 4, freeVcpus: 256, images: ['micro'] },
    });
    const { items } = await factory.caller.ok('GET', '/v1/images');
    expect(items).toMatchObject([{ name: 'micro', clusters: ['idc-1'] }]);
    clock.shift(120_000);
    expect(await show()).toMatchObject({ connected: false });
  });

  it('bounds what one answer holds', async () => {
    const { factory, clock, cluster } = await withRoom();
    await cluster.exchange({ capacity: capacityOf(clock, 10, { vcpus: 64, memoryMiB: 65_536 }) });
    const userData = 'x'.repeat(60_000);
    const request = { name: 'fat', image: 'micro', count: 300, memoryMiB: 64, userData };
    await factory.caller.ok('POST', '/v1/batches', request);
    const hostnames: string[] = [];
    let answers = 0;
    while (hostnames.length < 300) {
      const answer = await cluster.exchange({}, 5_000);
      answers += 1;
      expect(JSON.stringify(answer).length).toBeLessThan(10 * 1024 * 1024);
      hostnames.push(...assignedIn(answer).map((vm) => vm.spec.hostname));
    }
    expect(answers).toBeGreaterThan(1);
    expect(new Set(hostnames).size).toBe(300);
  }, 30_000);
});
