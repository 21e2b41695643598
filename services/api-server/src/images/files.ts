import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import {
  type DiskImage,
  ImageRefusedError,
  inspectDiskImage,
  inspectStart,
  type StorageHelper,
} from '@factory/runtime';

/** The content of versions, by their ids: where uploads go, and where clusters fetch from. */
export interface ImageFiles {
  sizeBytes(id: string): Promise<number>;
  /** Puts bytes at `offset`, which is not beyond the end; gives the size after that. */
  write(id: string, offset: number, bytes: Uint8Array): Promise<number>;
  read(id: string, offset: number, lengthMax: number): Promise<Uint8Array>;
  /** SHA-256 of what is here. */
  sum(id: string, onProgress: () => void): Promise<string>;
  /** What it is by its first bytes. @throws ImageRefusedError */
  inspect(id: string, claimed: ImageManifest['format'] | undefined): Promise<DiskImage>;
  remove(id: string): Promise<void>;
}

const QUICK = { timeoutMs: 20_000 } as const;
const SUM = { timeoutMs: 55 * 60_000, silenceMs: 30_000 } as const;

/** Files in a folder, which may be a network mount: helpers alone touch it. */
export function createImageFiles(folder: string, helper: StorageHelper): ImageFiles {
  const pathOf = (id: string): string => join(folder, id);
  const sizeBytes = async (id: string): Promise<number> =>
    (await helper.call('size', { path: pathOf(id) }, QUICK)) ?? 0;
  return {
    sizeBytes,
    async write(id, offset, bytes) {
      if (offset === 0) await helper.call('makeFolder', { path: folder }, QUICK);
      const base64 = Buffer.from(bytes).toString('base64');
      return helper.call('writeBytes', { path: pathOf(id), offset, base64 }, QUICK);
    },
    async read(id, offset, lengthMax) {
      const part = { path: pathOf(id), offset, lengthMax };
      return Buffer.from(await helper.call('readBytes', part, QUICK), 'base64');
    },
    async sum(id, onProgress) {
      const { sha256 } = await helper.call('sum', { path: pathOf(id) }, { ...SUM, onProgress });
      return sha256;
    },
    async inspect(id, claimed) {
      const file = { path: pathOf(id), sizeBytes: await sizeBytes(id) };
      return inspectDiskImage(helper, file, claimed);
    },
    async remove(id) {
      await helper.call('remove', { path: pathOf(id) }, QUICK);
    },
  };
}

/** In memory, for tests and simulations. */
export function createMemoryImageFiles(): ImageFiles {
  const files = new Map<string, Buffer>();
  const contentOf = (id: string): Buffer => files.get(id) ?? Buffer.alloc(0);
  return {
    sizeBytes: async (id) => contentOf(id).length,
    async write(id, offset, bytes) {
      const before = contentOf(id);
      if (before.length < offset) throw new Error(`${id} ends at ${before.length}`);
      const after = before.subarray(offset + bytes.length);
      const content = Buffer.concat([before.subarray(0, offset), bytes, after]);
      files.set(id, content);
      return content.length;
    },
    read: async (id, offset, lengthMax) => contentOf(id).subarray(offset, offset + lengthMax),
    sum: async (id) => createHash('sha256').update(contentOf(id)).digest('hex'),
    async inspect(id, claimed) {
      const found = inspectStart(contentOf(id), contentOf(id).length, claimed);
      if ('refusal' in found) throw new ImageRefusedError(found.refusal, found.message);
      return found;
    },
    async remove(id) {
      files.delete(id);
    },
  };
}
