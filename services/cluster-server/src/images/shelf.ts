import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { checkDiskImage, ImageRefusedError, type StorageHelper } from '@factory/runtime';
import { readImages } from './folder.ts';

/** Where the cluster's versions stand, and where new ones are put together. */
export interface ImageShelf {
  /** All versions that are there. */
  all(): Promise<readonly ImageManifest[]>;
  /** Bytes of a version that is there, from `offset` on; empty at its end, or when it is not there. */
  read(name: string, version: string, offset: number, lengthMax: number): Promise<Uint8Array>;
  /** How much of a version has arrived, in bytes. */
  partialBytes(manifest: ImageManifest): Promise<number>;
  /** Puts a part at `offset`; gives how much has arrived then. */
  writePartial(manifest: ImageManifest, offset: number, bytes: Uint8Array): Promise<number>;
  /**
   * Checks what has arrived, by its sum and by QEMU, and publishes it. What is wrong is removed.
   * @throws ImageRefusedError for what will never be taken
   */
  publish(manifest: ImageManifest): Promise<void>;
  /** Removes a version, and what has arrived of it. */
  remove(name: string, version: string): Promise<void>;
}

const QUICK = { timeoutMs: 20_000 } as const;
const SUM = { timeoutMs: 60 * 60_000, silenceMs: 30_000 } as const;

/** On shared storage, `<folder>/<name>/<version>.{qcow2,raw,json}`; helpers alone touch it. */
export function createImageShelf(folder: string, helper: StorageHelper): ImageShelf {
  const pathOf = (name: string, file: string): string => join(folder, name, file);
  // Named by what it is to become: whoever takes over goes on with it.
  const partialOf = (name: string, version: string): string => pathOf(name, `.partial-${version}`);
  let known: readonly ImageManifest[] = [];
  const remove = (path: string) => helper.call('remove', { path }, QUICK);
  return {
    async all() {
      known = await readImages(helper, folder, known);
      return known;
    },
    async read(name, version, offset, lengthMax) {
      const isMeant = (each: ImageManifest) => each.name === name && each.version === version;
      const manifest = known.find(isMeant);
      if (manifest === undefined || offset >= manifest.sizeBytes) return new Uint8Array();
      const part = { path: pathOf(name, `${version}.${manifest.format}`), offset, lengthMax };
      return Buffer.from(await helper.call('readBytes', part, QUICK), 'base64');
    },
    async partialBytes({ name, version }) {
      return (await helper.call('size', { path: partialOf(name, version) }, QUICK)) ?? 0;
    },
    async writePartial({ name, version }, offset, bytes) {
      if (offset === 0) await helper.call('makeFolder', { path: join(folder, name) }, QUICK);
      const base64 = Buffer.from(bytes).toString('base64');
      const part = { path: partialOf(name, version), offset, base64 };
      return helper.call('writeBytes', part, QUICK);
    },
    async publish(manifest) {
      const { name, version, format } = manifest;
      const path = partialOf(name, version);
      try {
        const { sha256, sizeBytes } = await helper.call('sum', { path }, SUM);
        if (sha256 !== version) throw new Error('what has arrived is not what was sent');
        const found = await checkDiskImage(helper, { path, sizeBytes }, format);
        if (found.virtualSizeBytes !== manifest.virtualSizeBytes) {
          throw new ImageRefusedError('CORRUPT', 'Its disk is of another size than was said.');
        }
      } catch (error) {
        await remove(path);
        throw error;
      }
      await helper.call('rename', { from: path, to: pathOf(name, `${version}.${format}`) }, QUICK);
      const text = JSON.stringify(manifest, undefined, 2);
      await helper.call('writeText', { path: pathOf(name, `${version}.json`), text }, QUICK);
    },
    async remove(name, version) {
      // The manifest first: without it the file is nothing.
      await remove(pathOf(name, `${version}.json`));
      for (const format of ['qcow2', 'raw']) await remove(pathOf(name, `${version}.${format}`));
      await remove(partialOf(name, version));
    },
  };
}

/** In memory, for tests and simulations; QEMU is not asked. */
export function createMemoryImageShelf(manifests: readonly ImageManifest[]): ImageShelf {
  const images = new Map(manifests.map((each) => [`${each.name} ${each.version}`, each]));
  const partials = new Map<string, Buffer>();
  const contents = new Map<string, Buffer>();
  return {
    all: async () => [...images.values()],
    read: async (_name, version, offset, lengthMax) =>
      (contents.get(version) ?? Buffer.alloc(0)).subarray(offset, offset + lengthMax),
    partialBytes: async ({ version }) => partials.get(version)?.length ?? 0,
    async writePartial({ version }, offset, bytes) {
      const before = partials.get(version) ?? Buffer.alloc(0);
      const content = Buffer.concat([before.subarray(0, offset), bytes]);
      partials.set(version, content);
      return content.length;
    },
    async publish(manifest) {
      const content = partials.get(manifest.version) ?? Buffer.alloc(0);
      partials.delete(manifest.version);
      const sha256 = createHash('sha256').update(content).digest('hex');
      if (sha256 !== manifest.version) throw new Error('what has arrived is not what was sent');
      images.set(`${manifest.name} ${manifest.version}`, manifest);
      contents.set(manifest.version, content);
    },
    async remove(name, version) {
      images.delete(`${name} ${version}`);
      partials.delete(version);
    },
  };
}

/** An image of the cluster's own, for tests and simulations. */
export function simulatedImage(name: string, fields: Partial<ImageManifest> = {}): ImageManifest {
  return {
    ...{ name, version: 'a'.repeat(64), format: 'qcow2', sizeBytes: 1, virtualSizeBytes: 1 << 20 },
    ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 1, minDiskGiB: 1 },
    createdAtMs: 1,
    ...fields,
  };
}
