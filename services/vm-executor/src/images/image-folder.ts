import { join } from 'node:path';
import {
  type ImageManifest,
  type ImageRef,
  newestImage,
  parseImageManifest,
} from '@factory/contracts';
import {
  type CallOptions,
  hasErrorCode,
  StorageError,
  StorageHangsError,
  type StorageHelper,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';

/** Reading a manifest or a list of names. */
const LOOK: CallOptions = { timeoutMs: 10_000 };
/** A copy may take long; that it stands still for this long means that the storage hangs. */
const COPY: CallOptions = { timeoutMs: 30 * 60_000, silenceMs: 30_000 };

/** The images on shared storage: `<folder>/<name>/<version>.{qcow2,raw,json}`. */
export interface ImageFolder {
  /** @throws VmFailure `IMAGE_MISSING`, `IMAGE_CORRUPT` or, for now, `STORAGE_UNAVAILABLE`. */
  find(ref: ImageRef): Promise<ImageManifest>;
  /** The newest version of every image; those that can't be read are left out. */
  newestOfAll(): Promise<readonly ImageManifest[]>;
  /**
   * Copies an image's file, which the sum in its manifest must match. `to` must not exist; what is
   * there after a failure is to be removed.
   * @throws VmFailure
   */
  copy(manifest: ImageManifest, to: string, onProgress: (percent: number) => void): Promise<void>;
}

/** The images in `folder`, looked at by helpers alone: it may be on a mount that hangs. */
export function createImageFolder(folder: string, helper: StorageHelper): ImageFolder {
  const readManifest = async (name: string, version: string): Promise<ImageManifest> => {
    const path = join(folder, name, `${version}.json`);
    const text = await helper.call('readText', { path }, LOOK);
    if (text === null) throw await missing(name);
    const manifest = parseImageManifest(text);
    if (manifest?.name === name && manifest.version === version) return manifest;
    throw new VmFailure('IMAGE_CORRUPT', `The manifest of image ${name} lacks what it must say.`);
  };

  /** An empty mount point is no storage without images: it may come back. */
  const missing = async (name: string): Promise<VmFailure> => {
    const names = await helper.call('list', { path: folder }, LOOK);
    if (names.length > 0) return new VmFailure('IMAGE_MISSING', missingImageMessage(name));
    const message = `There are no images at all in ${folder}; is it mounted?`;
    return new VmFailure('STORAGE_UNAVAILABLE', message, { isTransient: true });
  };

  const newest = async (name: string): Promise<ImageManifest> => {
    const files = await helper.call('list', { path: join(folder, name) }, LOOK);
    const versions = files.flatMap((file) => /^([0-9a-f]{64})\.json$/.exec(file)?.[1] ?? []);
    if (versions.length === 0) throw await missing(name);
    const read = await Promise.allSettled(versions.map((version) => readManifest(name, version)));
    const manifests = read.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const best = newestImage(manifests);
    if (best !== undefined) return best;
    throw read.find((each) => each.status === 'rejected')?.reason;
  };

  return {
    find: ({ name, version }) =>
      orVmFailure('reading the image', () =>
        version === undefined ? newest(name) : readManifest(name, version),
      ),
    newestOfAll: () =>
      orVmFailure('reading the images', async () => {
        const names = await helper.call('list', { path: folder }, LOOK);
        const found = await Promise.allSettled(names.map(newest));
        return found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      }),
    copy: ({ name, version, format, sizeBytes }, to, onProgress) =>
      orVmFailure('copying the image', async () => {
        const from = join(folder, name, `${version}.${format}`);
        const copied = await helper.call(
          'copy',
          { from, to, sizeBytesMax: sizeBytes },
          {
            ...COPY,
            onProgress: ({ doneBytes }) => onProgress(Math.floor((doneBytes * 100) / sizeBytes)),
          },
        );
        if (copied.sha256 === version) return;
        throw new VmFailure('IMAGE_CORRUPT', `The file of image ${name} is not what it was.`);
      }),
  };
}

/** What to say of an image that is not there. */
export function missingImageMessage(name: string): string {
  return `There is no image named ${name}.`;
}

async function orVmFailure<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof VmFailure) throw cause;
    const isFull = hasErrorCode(cause, 'ENOSPC') || hasErrorCode(cause, 'EDQUOT');
    const isOurs = cause instanceof StorageError || cause instanceof StorageHangsError;
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new VmFailure(
      isFull ? 'DISK_FULL' : 'STORAGE_UNAVAILABLE',
      `${what} failed: ${detail}`,
      // Storage comes back, and somebody makes room.
      { cause, isTransient: isOurs },
    );
  }
}
