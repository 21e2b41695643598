import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
import { missingImageMessage } from '../src/images/image-folder.ts';
import type { DiskTools } from '../src/storage/disk-tools.ts';
import { createFileStorage } from '../src/storage/files.ts';
import type { ImageSource } from '../src/storage/port.ts';
import { orStorageFailure, passingStorageFailure } from '../src/storage/storage-errors.ts';
import { testTask, testVmId } from '../src/testing.ts';
import { newRecord } from '../src/vm/record.ts';
import { describeStorage } from './storage-contract.ts';

/** Files with something in them; real disks are the subject of host/. */
const tools: DiskTools = {
  createOverlay: ({ path, basePath, sizeBytes }) => writeFile(path, `${basePath} ${sizeBytes}`),
  grow: ({ path, sizeBytes }) => writeFile(path, `grown ${sizeBytes}`),
  writeSeed: (path, seed) => writeFile(path, seed.hostname),
};

/** An image `micro`, ever at hand; real ones are the subject of images/. */
const images: ImageSource = {
  async describe({ name }) {
    if (name !== 'micro') throw new VmFailure('IMAGE_MISSING', missingImageMessage(name));
    return { name, virtualSizeBytes: 1 << 20, readyMarker: 'guest up' };
  },
  async acquire(ref) {
    const image = await images.describe(ref);
    return { ...image, path: '/micro.qcow2', format: 'qcow2', release: () => undefined };
  },
};

async function openFolder() {
  const root = await mkdtemp(join(tmpdir(), 'factory-storage-'));
  const storage = createFileStorage({ hostDir: root, images, logger: silentLogger, tools });
  await storage.prepare();
  return { root, storage };
}

describeStorage('files', async () => {
  const { root, storage } = await openFolder();
  return {
    storage,
    guestWrites: (vmId, text) => appendFile(join(root, 'consoles', `${vmId}.log`), text),
    async close() {
      await storage.close();
      await rm(root, { recursive: true });
    },
  };
});

describe('files of VMs', () => {
  const vmId = testVmId(1);
  let root: string;
  let storage: Awaited<ReturnType<typeof openFolder>>['storage'];
  beforeAll(async () => {
    ({ root, storage } = await openFolder());
  });
  afterAll(async () => {
    await storage.close();
    await rm(root, { recursive: true });
  });

  it('leave empty folders behind, turned-over console logs included', async () => {
    await storage.writeRecord(newRecord(testTask(1), 1_000), { durable: true });
    await storage.createDisk(vmId, { name: 'micro' }, 1);
    for (const suffix of ['', '.0', '.1', '.2']) {
      await writeFile(join(root, 'consoles', `${vmId}.log${suffix}`), 'x');
    }
    await storage.removeVm(vmId);
    expect(await readdir(join(root, 'overlays'))).toEqual([]);
    expect(await readdir(join(root, 'consoles'))).toEqual([]);
  });

  it.each(['not json', ''])(
    'tell a record that is spoilt from the disk beside it: %s',
    async (text) => {
      await storage.writeRecord(newRecord(testTask(1), 1_000), { durable: false });
      await writeFile(join(root, 'overlays', vmId, 'record.json'), text);
      expect(await storage.readVm(vmId)).toEqual({ record: undefined, holdsData: false });
      await storage.createDisk(vmId, { name: 'micro' }, 1);
      expect(await storage.readVm(vmId)).toEqual({ record: undefined, holdsData: true });
      await storage.removeVm(vmId);
    },
  );

  it('do not take a record that can not be read for none', async () => {
    await mkdir(join(root, 'overlays', vmId, 'record.json'), { recursive: true });
    await expect(storage.readVm(vmId)).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    await rm(join(root, 'overlays', vmId), { recursive: true });
  });

  it.each([
    ['EIO', 'IO_ERROR'],
    ['EROFS', 'STORAGE_READONLY'],
    ['ENOTCONN', 'STORAGE_UNAVAILABLE'],
    ['ENOSPC', 'DISK_FULL'],
  ])('tell a trouble of the storage that passes: %s is %s', async (code, reason) => {
    const cause = Object.assign(new Error(`${code}: it is so`), { code });
    const failing = orStorageFailure('making the disk', () => Promise.reject(cause));
    await expect(failing).rejects.toMatchObject({ reason, isTransient: true });
    const words = { EIO: 'Input/output error', EROFS: 'Read-only file system' };
    const tool = new Error(Object.entries(words).find(([each]) => each === code)?.[1] ?? code);
    if (code in words) expect(passingStorageFailure(tool, 'x')).toMatchObject({ reason });
  });

  it('try again what a tool holds that outlived its executor for a moment', () => {
    const words = `qemu-img: Could not open 'disk.qcow2': Failed to get "write" lock`;
    const failure = passingStorageFailure(new Error(words), 'x');
    expect(failure).toMatchObject({ reason: 'STORAGE_UNAVAILABLE', isTransient: true });
  });

  it('do not take a disk that can not be looked for to be missing', async () => {
    // A file where the folder should be: an error that is not "no such file".
    await writeFile(join(root, 'overlays', vmId), '');
    await expect(storage.hasDisk(vmId)).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    await rm(join(root, 'overlays', vmId));
  });
});
