import { createHash, randomBytes } from 'node:crypto';
import {
  type ClusterImage,
  type ImageManifest,
  type ImagesAnswer,
  LINK_PROTOCOL_VERSION,
  projectImageFolder,
  type VmId,
} from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf, type TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describeOnEachStore('images in several clusters', (test) => {
  const content = randomBytes(5_000);
  const version = createHash('sha256').update(content).digest('hex');
  const exchange = async (
    cluster: TestCluster,
    images: readonly ClusterImage[] = [],
  ): Promise<ImagesAnswer> => {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, epoch: cluster.epoch, images };
    const answer = await cluster.post('images', body);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json();
  };
  /** Two clusters, of which the first has an image that was made of a machine there. */
  const made = async () => {
    const { factory } = test();
    const [one, two] = [await factory.join('idc-1'), await factory.join('idc-2')];
    const { projectId } = factory.caller;
    const folder = projectImageFolder(projectId, 'taken');
    const manifest: ImageManifest = {
      ...{ name: folder, version, format: 'qcow2', sizeBytes: 5_000, virtualSizeBytes: 1 << 20 },
      ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 1, minDiskGiB: 1 },
      ...{ createdAtMs: 1, madeOf: { projectId, vmId: `vm_${'1'.repeat(32)}` as VmId } },
    };
    const here: ClusterImage = {
      ...{ name: folder, version, state: 'ready', percent: 100, message: null, hosts: [] },
      made: manifest,
    };
    expect((await exchange(one, [here])).uploads).toEqual([]);
    return { factory, one, two, here };
  };
  const sendPart = async (cluster: TestCluster, imageId: string, offset: number, bytes: Buffer) => {
    const base64 = bytes.toString('base64');
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, imageId, offset, base64 };
    return cluster.post('image-part', body);
  };

  it('come from where they were made to where somebody wants them, part by part', async () => {
    const { factory, one, two, here } = await made();
    expect((await exchange(two)).wanted).toEqual([]);
    const wish = { clusters: ['idc-2'] };
    await factory.caller.ok('POST', '/v1/images/taken:replicate', wish);
    const [upload] = (await exchange(one, [here])).uploads ?? [];
    if (upload === undefined) throw new Error('nothing is to be sent');
    expect(upload).toMatchObject({ name: here.name, version, offset: 0 });
    const { id } = upload;
    expect((await sendPart(two, id, 0, content)).statusCode).toBe(404);
    expect((await sendPart(one, id, 0, content.subarray(0, 2_000))).json()).toEqual({
      offset: 2_000,
    });
    expect((await sendPart(one, id, 3_000, content.subarray(3_000))).statusCode).toBe(409);
    expect((await exchange(one, [here])).uploads?.[0]?.offset).toBe(2_000);
    expect((await exchange(two)).wanted).toEqual([]);
    await sendPart(one, id, 2_000, content.subarray(2_000));
    const wanted = await waitFor(systemClock, 'the copy', 10_000, async () => {
      const answer = await exchange(two);
      return answer.wanted.length > 0 ? answer.wanted : undefined;
    });
    expect(wanted).toMatchObject([{ id, manifest: { version, sizeBytes: 5_000 } }]);
    const ask = { protocolVersion: LINK_PROTOCOL_VERSION, imageId: id, offset: 1_000 };
    const part = await two.post('image-content', ask);
    expect(part.rawPayload.equals(content.subarray(1_000))).toBe(true);
    expect((await exchange(one, [here])).uploads).toEqual([]);
  });

  it('come anew when what came is not what was made', async () => {
    const { factory, one, here } = await made();
    await factory.caller.ok('POST', '/v1/images/taken:replicate', { clusters: ['idc-2'] });
    const [upload] = (await exchange(one, [here])).uploads ?? [];
    await sendPart(one, upload?.id ?? '', 0, randomBytes(5_000));
    const again = await waitFor(systemClock, 'the next upload', 10_000, async () =>
      (await exchange(one, [here])).uploads?.find(({ offset }) => offset === 0),
    );
    expect(again?.id).toBe(upload?.id);
  });

  it('are wanted where batches wait that have room there, as long as they wait', async () => {
    const { factory, two, one, here } = await made();
    const { clock } = test();
    const capacity = (vcpus: number, images: string[]) =>
      capacityOf(clock, 1, { vcpus, memoryMiB: 65_536 }, images);
    await one.exchange({ capacity: capacity(2, [here.name]) });
    await two.exchange({ capacity: capacity(64, ['micro']) });
    const size = { count: 8, vcpus: 2, memoryMiB: 64 };
    await factory.caller.ok('POST', '/v1/batches', { name: 'b', image: 'taken', ...size });
    await waitFor(systemClock, 'the wish of the batch', 20_000, async () =>
      (await exchange(one, [here])).uploads?.length === 1 ? true : undefined,
    );
  });

  it('go no faster than operators say', async () => {
    const { factory, one } = await made();
    const bound = async (body: object) =>
      (await factory.caller.call('PUT', '/v1/clusters/idc-1/image-rate', body)).statusCode;
    expect(await bound({ imageMiBPerSecond: 8 })).toBe(200);
    expect((await exchange(one)).bytesPerSecond).toBe(8 * 1024 * 1024);
    expect(await bound({ imageMiBPerSecond: null })).toBe(200);
    expect((await exchange(one)).bytesPerSecond).toBeUndefined();
  });

  it('are no longer wanted when that is taken back', async () => {
    const { factory, one, here } = await made();
    const wish = { clusters: ['idc-2'] };
    await factory.caller.ok('POST', '/v1/images/taken:replicate', wish);
    await factory.caller.ok('POST', '/v1/images/taken:stopReplicating', wish);
    expect((await exchange(one, [here])).uploads).toEqual([]);
    const unknown = await factory.caller.call('POST', '/v1/images/taken:replicate', {
      clusters: ['idc-9'],
    });
    expect(unknown.json()).toMatchObject({ status: 400, field: 'clusters' });
  });

  it('are brought to where a machine is to be made anew of them', async () => {
    const { factory, one, two, here } = await made();
    const capacity = capacityOf(test().clock, 1, { vcpus: 8, memoryMiB: 4_096 });
    await two.exchange({ capacity });
    const size = { count: 1, vcpus: 1, memoryMiB: 64 };
    await factory.caller.ok('POST', '/v1/batches', { name: 'b', image: 'micro', ...size });
    const [vm] = assignedIn(await two.exchange({}, 5_000));
    const url = `/v1/vms/${vm?.vmId}:rebuild`;
    const refused = await factory.caller.call('POST', url, { image: 'taken' });
    expect(refused.json()).toMatchObject({
      status: 422,
      detail: expect.stringContaining('brought there'),
    });
    expect((await exchange(one, [here])).uploads).toHaveLength(1);
  });
});
