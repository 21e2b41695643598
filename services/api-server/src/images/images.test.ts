import { createHash, randomBytes } from 'node:crypto';
import {
  type ClusterImage,
  type ImagesAnswer,
  LINK_PROTOCOL_VERSION,
  type ProjectId,
  projectImageFolder,
  type VmId,
} from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { capacityOf, type TestCluster } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn, INTERNAL_TOKEN, otherProject, type TestCaller } from '../testing/factory.ts';

/** A qcow2 file by its header, which is all that is looked at here. */
function qcow2(sizeBytes: number): Buffer {
  const file = randomBytes(sizeBytes);
  file.fill(0, 0, 104);
  file.write('QFI\xfb', 0, 'latin1');
  file.writeUInt32BE(2, 4);
  file.writeUInt32BE(16, 20);
  file.writeBigUInt64BE(16n << 20n, 24);
  file.writeUInt32BE(1, 36);
  file.writeUInt32BE(1, 56);
  return file;
}

const sumOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

describeOnEachStore('images of projects', (test) => {
  const put = (caller: TestCaller, id: string, offset: number, bytes: Buffer) =>
    test().factory.api.app.inject({
      method: 'PUT',
      url: `/v1/images/${id}/content?offset=${offset}`,
      headers: {
        authorization: `Bearer ${INTERNAL_TOKEN}`,
        'x-factory-principal': JSON.stringify(caller.principal),
        'content-type': 'application/octet-stream',
      },
      payload: bytes,
    });
  const untilState = (name: string, state: string) =>
    waitFor(systemClock, `an image that is ${state}`, 10_000, async () => {
      const { versions } = await test().factory.caller.ok('GET', `/v1/images/${name}`);
      return versions[0]?.state === state ? versions[0] : undefined;
    });
  const upload = async (content: Buffer, more: object = {}) => {
    const { caller } = test().factory;
    const { id, name } = await caller.ok('POST', '/v1/images', { name: 'web', ...more });
    expect((await put(caller, id, 0, content)).statusCode).toBe(200);
    await caller.ok('POST', `/v1/images/${id}:complete`, {});
    return { id, name };
  };
  const exchange = async (cluster: TestCluster, images: ClusterImage[]): Promise<ImagesAnswer> => {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, epoch: cluster.epoch, images };
    const answer = await cluster.post('images', body);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json();
  };
  const readyAt = (name: string, version: string): ClusterImage => ({
    ...{ name, version, state: 'ready', percent: 100, message: null },
    hosts: [{ hostName: 'host-1', percent: 100 }],
  });

  it('come in parts that may be repeated, and go on where they broke off', async () => {
    const { caller } = test().factory;
    const content = qcow2(100_000);
    const { id } = await caller.ok('POST', '/v1/images', { name: 'web', sizeBytes: 100_000 });
    expect((await put(caller, id, 0, content.subarray(0, 60_000))).json().offset).toBe(60_000);
    expect((await put(caller, id, 70_000, content.subarray(70_000))).json()).toMatchObject({
      status: 409,
      offset: 60_000,
    });
    expect((await caller.ok('GET', `/v1/images/${id}/content`)).offset).toBe(60_000);
    expect((await caller.call('POST', `/v1/images/${id}:complete`, {})).statusCode).toBe(409);
    expect((await put(caller, id, 60_000, content.subarray(60_000))).statusCode).toBe(200);
    expect((await put(caller, id, 60_000, content.subarray(60_000))).json().offset).toBe(100_000);
    expect((await put(caller, id, 100_000, Buffer.alloc(1))).statusCode).toBe(400);
    await caller.ok('POST', `/v1/images/${id}:complete`, { sha256: sumOf(content) });
    await caller.ok('POST', `/v1/images/${id}:complete`, {});
    expect(await untilState('web', 'ready')).toMatchObject({
      version: sumOf(content),
      sizeBytes: 100_000,
      virtualSizeBytes: 16 << 20,
    });
  });

  it('are refused with the reason when they are not what they should be', async () => {
    const backed = qcow2(1_000);
    backed.writeBigUInt64BE(512n, 8);
    await upload(backed);
    expect((await untilState('web', 'failed')).message).toContain('upon another');
    await upload(qcow2(1_000), { name: 'other', sha256: 'f'.repeat(64) });
    expect((await untilState('other', 'failed')).message).toContain('not ffff');
  });

  it('reach the clusters, which get them part by part, and then can be used', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const content = qcow2(10_000);
    await upload(content);
    const { version } = await untilState('web', 'ready');
    const { wanted } = await exchange(cluster, []);
    expect(wanted).toMatchObject([{ manifest: { version, sizeBytes: 10_000, format: 'qcow2' } }]);
    const [image] = wanted;
    if (image === undefined) throw new Error('nothing is wanted');
    const ask = { protocolVersion: LINK_PROTOCOL_VERSION, imageId: image.id, offset: 4_000 };
    const part = await cluster.post('image-content', ask);
    expect(part.rawPayload.equals(content.subarray(4_000))).toBe(true);

    const folder = image.manifest.name;
    await exchange(cluster, [readyAt(folder, version)]);
    expect(await factory.caller.ok('GET', '/v1/images/web')).toMatchObject({
      origin: 'project',
      versions: [{ version, clusters: [{ cluster: 'idc-1', state: 'ready' }] }],
    });
    const batch = { name: 'b', image: `web@${version.slice(0, 8)}`, count: 1, memoryMiB: 64 };
    expect(await factory.caller.ok('POST', '/v1/batches', batch)).toMatchObject({ image: 'web' });
    const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, [folder]);
    await cluster.exchange({ capacity });
    expect(assignedIn(await cluster.exchange())).toEqual([]);
    clock.shift(5_000);
    const versions = { [folder]: [version] };
    await cluster.exchange({ capacity: { ...capacity, allImageVersions: versions } });
    const vms = await waitFor(systemClock, 'the machine', 10_000, async () => {
      const found = assignedIn(await cluster.exchange({}, 1_000));
      return found.length > 0 ? found : undefined;
    });
    expect(vms[0]?.spec.image).toEqual({ name: folder, version });

    const path = `/v1/images/web/versions/${version}`;
    expect((await factory.caller.call('DELETE', path)).statusCode).toBe(409);
  }, 30_000);

  it('make the machines that they need, unless a batch says otherwise', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await upload(qcow2(10_000), { os: 'windows', firmware: 'uefi', drivers: 'emulated' });
    const { version } = await untilState('web', 'ready');
    const folder = projectImageFolder(factory.caller.projectId, 'web');
    const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, [folder]);
    const allImageVersions = { [folder]: [version] };
    await cluster.exchange({ capacity: { ...capacity, allImageVersions } });
    const hardwareOf = async (name: string, more: object) => {
      const batch = { name, image: 'web', count: 1, memoryMiB: 64, ...more };
      await factory.caller.ok('POST', '/v1/batches', batch);
      return waitFor(systemClock, 'the machine', 10_000, async () => {
        const [found] = assignedIn(await cluster.exchange({}, 1_000));
        return found?.spec.hardware;
      });
    };
    const needed = { os: 'windows', firmware: 'uefi', devices: 'emulated' };
    expect(await hardwareOf('plain', {})).toEqual(needed);
    const secure = { hardware: { firmware: 'uefi-secure', devices: 'virtio', tpm: true } };
    expect(await hardwareOf('other', secure)).toEqual({ ...needed, ...secure.hardware });
  }, 30_000);

  it("are nobody else's to see or use, unless they are public", async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }) });
    const { id } = await upload(qcow2(1_000));
    const { version } = await untilState('web', 'ready');
    const { wanted } = await exchange(cluster, []);
    const folder = wanted[0]?.manifest.name ?? '';
    const images = ['micro', folder];
    await cluster.exchange({
      capacity: capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, images),
    });
    const stranger = factory.caller.as('member', otherProject());
    const seen = await stranger.ok('GET', '/v1/images');
    expect(seen.items.map(({ name }: { name: string }) => name)).toEqual(['micro']);
    expect(JSON.stringify(await stranger.ok('GET', '/v1/clusters'))).not.toContain('web');
    expect((await stranger.call('GET', '/v1/images/web')).statusCode).toBe(404);
    expect((await stranger.call('GET', `/v1/images/${id}/content`)).statusCode).toBe(404);
    expect((await put(stranger, id, 0, Buffer.alloc(1))).statusCode).toBe(404);
    for (const image of ['web', folder, `${folder}@${version}`.slice(0, 120)]) {
      const answer = await stranger.call('POST', '/v1/batches', { name: 'b', image, count: 1 });
      expect([400, 422], answer.body).toContain(answer.statusCode);
      expect(answer.body).not.toContain(version);
    }
    const asPublic = { name: 'shared', visibility: 'public' };
    expect((await stranger.call('POST', '/v1/images', asPublic)).statusCode).toBe(403);
    await upload(qcow2(1_000), asPublic);
    await untilState('shared', 'ready');
    expect((await stranger.ok('GET', '/v1/images/shared')).versions).toHaveLength(1);
  });

  it('go from every cluster when they are deleted, and then from here', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await upload(qcow2(1_000));
    const { version } = await untilState('web', 'ready');
    const name = (await exchange(cluster, [])).wanted[0]?.manifest.name ?? '';
    await exchange(cluster, [readyAt(name, version)]);
    const path = `/v1/images/web/versions/${version}`;
    expect((await factory.caller.call('DELETE', path)).statusCode).toBe(204);
    expect(await exchange(cluster, [readyAt(name, version)])).toMatchObject({
      wanted: [],
      dropped: [{ name, version }],
    });
    expect(await exchange(cluster, [])).toMatchObject({ dropped: [{ name, version }] });
    clock.shift(5_000);
    await waitFor(systemClock, 'the end of it', 10_000, async () => {
      const { statusCode } = await factory.caller.call('GET', '/v1/images/web');
      return statusCode === 404 ? true : undefined;
    });
    expect(await exchange(cluster, [])).toMatchObject({ wanted: [], dropped: [] });
  });

  describe('that were made of their machines', () => {
    const vmId = `vm_${'7'.repeat(32)}` as VmId;
    const version = 'c'.repeat(64);
    const madeAt = (projectId: ProjectId, folder: string, of = version): ClusterImage => ({
      ...readyAt(folder, of),
      made: {
        ...{ name: folder, version: of, format: 'qcow2', sizeBytes: 9, virtualSizeBytes: 1 << 30 },
        ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 96, minDiskGiB: 1 },
        ...{ createdAtMs: 5, madeOf: { projectId, vmId } },
      },
    });

    it('are known by the word of their cluster, shown, and deleted like others', async () => {
      const { factory, clock } = test();
      const { caller } = factory;
      const folder = projectImageFolder(caller.projectId, 'taken');
      const cluster = await factory.join('idc-1');
      const other = await factory.join('idc-2');
      const there = [madeAt(caller.projectId, folder)];
      for (let times = 0; times < 2; times += 1) {
        expect(await exchange(cluster, there)).toMatchObject({ wanted: [], dropped: [] });
      }
      expect(await exchange(other, [])).toMatchObject({ wanted: [] });
      expect(await caller.ok('GET', '/v1/images/taken')).toMatchObject({
        origin: 'project',
        versions: [
          {
            ...{ version, state: 'ready', minMemoryMiB: 96, madeOf: vmId },
            clusters: [{ cluster: 'idc-1', state: 'ready' }],
          },
        ],
      });
      const stranger = caller.as('member', otherProject());
      expect((await stranger.call('GET', '/v1/images/taken')).statusCode).toBe(404);
      const path = `/v1/images/taken/versions/${version}`;
      expect((await caller.call('DELETE', path)).statusCode).toBe(204);
      expect(await exchange(cluster, there)).toMatchObject({ dropped: [{ version }] });
      await exchange(cluster, []);
      clock.shift(5_000);
      await waitFor(systemClock, 'the end of it', 10_000, async () => {
        const { statusCode } = await caller.call('GET', '/v1/images/taken');
        return statusCode === 404 ? true : undefined;
      });
    });

    it('are not believed to be of another project than their name says', async () => {
      const { factory } = test();
      const { caller } = factory;
      const cluster = await factory.join('idc-1');
      const folder = projectImageFolder(caller.projectId, 'taken');
      await exchange(cluster, [madeAt(otherProject(), folder)]);
      // Nor of one that does not exist.
      const gone = otherProject();
      await exchange(cluster, [madeAt(gone, projectImageFolder(gone, 'taken'))]);
      expect((await caller.ok('GET', '/v1/images')).items).toEqual([]);
    });

    it('wait in words for a cluster that has them', async () => {
      const { factory, clock } = test();
      const { caller } = factory;
      const folder = projectImageFolder(caller.projectId, 'taken');
      const cluster = await factory.join('idc-1');
      await exchange(cluster, [madeAt(caller.projectId, folder)]);
      const other = await factory.join('idc-2');
      const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 });
      await other.exchange({ capacity });
      const batch = { name: 'b', image: 'taken', count: 1, memoryMiB: 96 };
      const { id } = await caller.ok('POST', '/v1/batches', batch);
      const reason = await waitFor(systemClock, 'a reason', 10_000, async () => {
        return (await caller.ok('GET', `/v1/batches/${id}`)).pendingReason ?? undefined;
      });
      expect(JSON.stringify(reason)).toContain(
        `idc-2 lacks the image taken@${version.slice(0, 12)}`,
      );
    });

    it('are what a bare name means as soon as a cluster has a newer one', async () => {
      const { factory, clock } = test();
      const { caller } = factory;
      const folder = projectImageFolder(caller.projectId, 'taken');
      const cluster = await factory.join('idc-1');
      await exchange(cluster, [madeAt(caller.projectId, folder)]);
      const newer = 'd'.repeat(64);
      const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, [folder]);
      const imageVersions = { [folder]: newer };
      const allImageVersions = { [folder]: [version, newer] };
      await cluster.exchange({ capacity: { ...capacity, imageVersions, allImageVersions } });
      const batch = { name: 'b', image: 'taken', count: 1, memoryMiB: 96 };
      await caller.ok('POST', '/v1/batches', batch);
      const vms = await waitFor(systemClock, 'the machine', 10_000, async () => {
        const found = assignedIn(await cluster.exchange({}, 1_000));
        return found.length > 0 ? found : undefined;
      });
      expect(vms[0]?.spec.image).toEqual({ name: folder, version: newer });
    });
  });

  it("are spoken of by the cluster's newest session alone, and never twice", async () => {
    const { factory } = test();
    const cluster = await factory.join('idc-1');
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, epoch: cluster.epoch, images: [] };
    const nonce = 'n'.repeat(20);
    expect((await cluster.post('images', body, { nonce })).statusCode).toBe(200);
    expect((await cluster.post('images', body, { nonce })).statusCode).toBe(401);
    await cluster.openSession();
    expect((await cluster.post('images', body)).statusCode).toBe(409);
  });
});
