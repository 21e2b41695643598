import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { createStorageHelper, silentLogger, systemClock } from '@factory/runtime';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { qemuDiskTools } from '../host/qemu-img.ts';
import { createImageCache, type ImageCache } from './image-cache.ts';
import { createImageFolder, type ImageFolder } from './image-folder.ts';

describe("a host's images", () => {
  let root: string;
  let hostDir: string;
  let copies: string[];
  let sizeBytes: number;
  let folder: ImageFolder;
  const helper = createStorageHelper({ clock: systemClock, logger: silentLogger });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'image-cache-'));
    hostDir = join(root, 'host');
    copies = [];
    const real = createImageFolder(join(root, 'images'), helper);
    folder = {
      ...real,
      copy: (manifest, to, onProgress) => {
        copies.push(manifest.name);
        return real.copy(manifest, to, onProgress);
      },
    };
    sizeBytes = (await publish('micro', 1)).sizeBytes;
  });
  afterEach(() => rm(root, { recursive: true }));
  afterAll(() => helper.close());

  /** An image as its maker leaves it; `createdAtMs` makes its bytes its own. */
  async function publish(name: string, createdAtMs: number): Promise<ImageManifest> {
    const made = join(root, 'made.qcow2');
    const virtualSizeBytes = (1 << 20) + createdAtMs * 512;
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', made, String(virtualSizeBytes)]);
    const bytes = Buffer.concat([await readFile(made), Buffer.from(`${name} ${createdAtMs}`)]);
    const version = createHash('sha256').update(bytes).digest('hex');
    const manifest: ImageManifest = {
      ...{ name, version, format: 'qcow2', sizeBytes: bytes.length, virtualSizeBytes, createdAtMs },
      ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 96, minDiskGiB: 1 },
    };
    await mkdir(join(root, 'images', name), { recursive: true });
    await writeFile(join(root, 'images', name, `${version}.qcow2`), bytes);
    await writeFile(join(root, 'images', name, `${version}.json`), JSON.stringify(manifest));
    return manifest;
  }

  async function openCache(sizeBytesMax = 1 << 30): Promise<ImageCache> {
    const options = { clock: systemClock, logger: silentLogger, hostDir, images: folder };
    const cache = createImageCache({ ...options, sizeBytesMax });
    await cache.prepare();
    return cache;
  }

  async function makeDisk(cache: ImageCache, vm: string, name: string): Promise<string> {
    const image = await cache.acquire({ name });
    const path = join(hostDir, 'overlays', vm, 'disk.qcow2');
    await mkdir(join(path, '..'), { recursive: true });
    const base = { basePath: image.path, baseFormat: image.format };
    await qemuDiskTools.createOverlay({ path, ...base, sizeBytes: image.virtualSizeBytes });
    image.release();
    return image.path;
  }

  const cached = (): Promise<string[]> => readdir(join(hostDir, 'cache'));

  it('are copied once, however many ask at a time, and checked', async () => {
    const cache = await openCache();
    const held = await Promise.all([1, 2, 3, 4, 5].map(() => cache.acquire({ name: 'micro' })));
    expect(copies).toEqual(['micro']);
    const { version } = await folder.find({ name: 'micro' });
    expect(new Set(held.map(({ path }) => path))).toEqual(
      new Set([join(hostDir, 'cache', `${version}.qcow2`)]),
    );
    expect(cache.presence()).toEqual([{ name: 'micro', version, percent: 100 }]);
  });

  it('are those of the version asked for; the name alone means the newest', async () => {
    const older = await folder.find({ name: 'micro' });
    const newer = await publish('micro', 2);
    const cache = await openCache();
    const [one, two] = [await cache.acquire(older), await cache.acquire({ name: 'micro' })];
    expect([one.path, two.path]).toEqual(
      [older, newer].map(({ version }) => join(hostDir, 'cache', `${version}.qcow2`)),
    );
  });

  it('stay with their disks when a new version is published', async () => {
    const cache = await openCache();
    const path = await makeDisk(cache, 'vm_1', 'micro');
    const before = await readFile(path);
    await publish('micro', 2);
    expect(await makeDisk(cache, 'vm_2', 'micro')).not.toBe(path);
    expect(before.equals(await readFile(path))).toBe(true);
  });

  it('outlive the executor, and need no shared storage then', async () => {
    const { version } = await folder.find({ name: 'micro' });
    await (await openCache()).stage({ name: 'micro' });
    await rm(join(root, 'images'), { recursive: true });
    const image = await (await openCache()).acquire({ name: 'micro', version });
    expect(image.path).toBe(join(hostDir, 'cache', `${version}.qcow2`));
    await expect((await openCache()).acquire({ name: 'micro' })).rejects.toMatchObject({
      reason: 'STORAGE_UNAVAILABLE',
      isTransient: true,
    });
  });

  it('are not taken when they are not what they were', async () => {
    const { version, sizeBytes: length } = await folder.find({ name: 'micro' });
    await writeFile(join(root, 'images/micro', `${version}.qcow2`), Buffer.alloc(length));
    const cache = await openCache();
    await expect(cache.acquire({ name: 'micro' })).rejects.toMatchObject({
      reason: 'IMAGE_CORRUPT',
    });
    await expect(cache.acquire({ name: 'none' })).rejects.toMatchObject({
      reason: 'IMAGE_MISSING',
    });
    expect(await cached()).toEqual([]);
  });

  it('that were left half-made go', async () => {
    await mkdir(join(hostDir, 'cache'), { recursive: true });
    await writeFile(join(hostDir, 'cache', `${'a'.repeat(64)}.qcow2.partial`), 'x');
    await writeFile(join(hostDir, 'cache', `${'a'.repeat(64)}.qcow2`), 'x');
    await openCache();
    expect(await cached()).toEqual([]);
  });

  it('make room, the one used longest ago first', async () => {
    await publish('second', 2);
    await publish('third', 3);
    const cache = await openCache(2 * sizeBytes + 100);
    await cache.stage({ name: 'micro' });
    await cache.stage({ name: 'second' });
    await cache.stage({ name: 'third' });
    expect(cache.presence().map(({ name }) => name)).toEqual(['second', 'third']);
    expect(await cached()).toHaveLength(4);
  });

  it('never make room that a disk lies upon, or that is held', async () => {
    await publish('second', 2);
    await publish('third', 3);
    const cache = await openCache(2 * sizeBytes + 100);
    const path = await makeDisk(cache, 'vm_1', 'micro');
    const held = await cache.acquire({ name: 'second' });
    await expect(cache.acquire({ name: 'third' })).rejects.toMatchObject({
      reason: 'DISK_FULL',
      isTransient: true,
    });
    held.release();
    await cache.stage({ name: 'third' });
    expect(cache.presence().map(({ name }) => name)).toEqual(['micro', 'third']);
    await readFile(path);
  });

  it('never make room that a snapshot of a disk lies upon, wherever it is kept', async () => {
    await publish('second', 2);
    const cache = await openCache(sizeBytes + 50);
    await makeDisk(cache, 'vm_1/snapshots', 'micro');
    await expect(cache.stage({ name: 'second' })).rejects.toMatchObject({ reason: 'DISK_FULL' });
  });

  it('tell who leaves early so at once, and come all the same', async () => {
    const copying = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { copy } = folder;
    folder = {
      ...folder,
      copy: async (...args) => {
        copying.resolve();
        await go.promise;
        await copy(...args);
      },
    };
    const cache = await openCache();
    const controller = new AbortController();
    const leaver = cache.acquire({ name: 'micro' }, controller.signal);
    await copying.promise;
    const patient = cache.acquire({ name: 'micro' });
    controller.abort(new Error('deleted meanwhile'));
    await expect(leaver).rejects.toThrow('deleted meanwhile');
    expect(cache.presence()).toMatchObject([{ percent: 0 }]);
    go.resolve();
    await patient;
    expect(cache.presence()).toMatchObject([{ percent: 100 }]);
  });

  it('that are warm make a disk within milliseconds', async () => {
    const cache = await openCache();
    const { version } = await folder.find({ name: 'micro' });
    await cache.stage({ name: 'micro' });
    const samplesMs: number[] = [];
    for (const vm of ['vm_1', 'vm_2', 'vm_3', 'vm_4', 'vm_5']) {
      const startMs = systemClock.monotonicMs();
      const image = await cache.acquire({ name: 'micro', version });
      const path = join(hostDir, 'overlays', vm, 'disk.qcow2');
      await mkdir(join(path, '..'), { recursive: true });
      const base = { basePath: image.path, baseFormat: image.format };
      await qemuDiskTools.createOverlay({ path, ...base, sizeBytes: 1 << 30 });
      image.release();
      samplesMs.push(Math.round(systemClock.monotonicMs() - startMs));
    }
    process.stdout.write(`image stage on a warm host: ${samplesMs.join(', ')} ms (limit 100)\n`);
    expect(copies).toEqual(['micro']);
  });
});
