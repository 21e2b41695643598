import {
  type OperationId,
  type OperationRequest,
  type OperationResult,
  projectImageFolder,
} from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf, type TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, otherProject, type TestFactory } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

/** The one operation that the cluster is told of next. */
async function nextOperation(cluster: TestCluster): Promise<OperationRequest> {
  const { commands } = await cluster.exchange({}, 5_000);
  const command = commands[0]?.command;
  const operation = command?.kind === 'operate' ? command.operations[0] : undefined;
  if (operation === undefined) throw new Error('expected an operation');
  return operation;
}

/** All that the store holds of an operation: its record, and the commands that wait for the cluster. */
async function kept({ store, caller }: TestFactory, cluster: TestCluster, id: OperationId) {
  const bounds = { limit: 100, bytesMax: 1_000_000 };
  const { clusterId, epoch } = cluster;
  const commands = await store.clusters.commandsAfter(clusterId, epoch, 0, bounds);
  const operation = await store.operations.find(caller.projectId, id);
  return JSON.stringify([commands, operation]);
}

function resultOf(
  { operationId, vmId }: OperationRequest,
  fields: Partial<OperationResult> = {},
): OperationResult {
  return { operationId, vmId, outcome: 'succeeded', message: '', output: '', ...fields };
}

describeOnEachStore('operations on machines', (test) => {
  it('give a password to the host, and keep it nowhere', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const params = { user: 'root', password: 'correct horse' };
    const url = `/v1/vms/${first.vmId}:setPassword`;
    const { id } = await factory.caller.ok('POST', url, params);
    expect(await kept(factory, cluster, id)).not.toContain(params.password);
    const request = await nextOperation(cluster);
    expect(request).toMatchObject({ operationId: id, kind: 'setPassword', params });
    await cluster.exchange({ operations: [resultOf(request)] });
    const operation = await factory.caller.call('GET', `/v1/operations/${id}`);
    expect(operation.json()).toMatchObject({ state: 'succeeded', reason: null });
    expect(operation.body).not.toContain(params.password);
    expect(await kept(factory, cluster, id)).not.toContain(params.password);
  });

  it("make images that are the project's own, never one of a name for everybody", async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const { cluster, first } = await withRunning(factory, clock, 1);
    const { id } = await caller.ok('POST', `/v1/vms/${first.vmId}:makeImage`, { name: 'micro' });
    const request = await nextOperation(cluster);
    const name = projectImageFolder(caller.projectId, 'micro');
    expect(request).toMatchObject({ kind: 'makeImage', params: { name } });
    const version = 'a'.repeat(64);
    const data = { kind: 'makeImage', name, version, sizeBytes: 1, isQuiesced: false } as const;
    const images = ['micro', name];
    await cluster.exchange({
      operations: [resultOf(request, { data })],
      capacity: capacityOf(clock, 1, { vcpus: 64, memoryMiB: 65_536 }, images),
    });
    const operation = await caller.ok('GET', `/v1/operations/${id}`);
    expect(operation.data).toMatchObject({ name: 'micro', version });
    expect(await caller.ok('GET', '/v1/images/micro')).toMatchObject({ origin: 'project' });
    const stranger = caller.as('member', otherProject());
    expect(await stranger.ok('GET', '/v1/images/micro')).toMatchObject({ origin: 'cluster' });
    await caller.ok('POST', '/v1/batches', { name: 'next', image: 'micro', count: 1 });
    const [next] = assignedIn(await cluster.exchange({}, 5_000));
    expect(next?.spec.image.name).toBe(name);
  });

  it('end when they are cancelled, by an operation that says whether it came in time', async () => {
    const { factory, clock } = test();
    const { caller } = factory;
    const { cluster, first } = await withRunning(factory, clock, 1);
    const { id } = await caller.ok('POST', `/v1/vms/${first.vmId}:makeImage`, { name: 'web' });
    const making = await nextOperation(cluster);
    const answer = await caller.call('POST', `/v1/operations/${id}:cancel`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      202,
      { kind: 'cancel', state: 'running', vmId: first.vmId },
    ]);
    expect(answer.headers.location).toBe(`/v1/operations/${answer.json().id}`);
    const cancelling = await nextOperation(cluster);
    expect(cancelling).toMatchObject({ kind: 'cancel', params: { operationId: id } });
    const failed = {
      outcome: 'failed',
      reason: 'CANCELLED',
      message: 'It was cancelled.',
    } as const;
    await cluster.exchange({ operations: [resultOf(making, failed), resultOf(cancelling)] });
    expect(await caller.ok('GET', `/v1/operations/${id}`)).toMatchObject({
      ...{ reason: 'CANCELLED', state: 'failed' },
    });
    const again = await caller.call('POST', `/v1/operations/${id}:cancel`);
    expect(again.json()).toMatchObject({ status: 409, detail: expect.stringContaining('already') });
    const stranger = caller.as('admin', otherProject());
    expect((await stranger.call('POST', `/v1/operations/${id}:cancel`)).statusCode).toBe(404);
  });

  it('say why they failed, with a code', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const key = { user: 'root', publicKey: 'ssh-ed25519 AAAA me' };
    const { id } = await factory.caller.ok('POST', `/v1/vms/${first.vmId}:addSshKey`, key);
    const request = await nextOperation(cluster);
    const failed = { outcome: 'failed', reason: 'GUEST_AGENT_AWAY', message: 'no agent' } as const;
    await cluster.exchange({ operations: [resultOf(request, failed)] });
    expect(await factory.caller.ok('GET', `/v1/operations/${id}`)).toMatchObject({
      state: 'failed',
      reason: 'GUEST_AGENT_AWAY',
      message: 'no agent',
    });
  });

  it.each([
    ['setPassword', { user: 'root' }, 'password'],
    ['setPassword', { user: 'root', password: 'two\nlines' }, 'password'],
    ['setPassword', { user: 'root; rm', password: 'x' }, 'user'],
    ['addSshKey', { user: 'root', publicKey: 'not a key' }, 'publicKey'],
  ])('refuse %s of %j, naming the field', async (verb, body, field) => {
    const { factory, clock } = test();
    const { first } = await withRunning(factory, clock, 1);
    const answer = await factory.caller.call('POST', `/v1/vms/${first.vmId}:${verb}`, body);
    expect(answer.json()).toMatchObject({ status: 400, field });
  });

  it('show the screen as a picture', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const asking = factory.caller.call('GET', `/v1/vms/${first.vmId}/screenshot`);
    const request = await nextOperation(cluster);
    const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]);
    const size = { widthPx: 1, heightPx: 1 };
    const data = { kind: 'screenshot', png: png.toString('base64'), ...size } as const;
    await cluster.exchange({ operations: [resultOf(request, { data })] });
    const answer = await asking;
    expect(answer.headers['content-type']).toBe('image/png');
    expect(answer.rawPayload).toEqual(png);
  });
});
