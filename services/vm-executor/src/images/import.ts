import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { type Clock, checkDiskImage, type StorageHelper } from '@factory/runtime';

/** What the owner of a file says of it. */
export interface ImageFacts
  extends Pick<
    ImageManifest,
    'name' | 'os' | 'firmware' | 'drivers' | 'minMemoryMiB' | 'readyMarker'
  > {
  /** Needed for a raw disk, which carries no mark. */
  readonly format?: 'qcow2' | 'raw';
}

const LOOK = { timeoutMs: 10_000 } as const;
const COPY = { timeoutMs: 60 * 60_000, silenceMs: 30_000 } as const;
const GIB = 1024 ** 3;

/**
 * Publishes a file as a new version of an image: copied to a temporary name, inspected there (where
 * nobody changes it any more), and renamed to its sum; the manifest comes last. The same bytes again
 * are the same version, and stay as they are.
 * @throws ImageRefusedError; StorageHangsError, StorageError
 */
export async function importImage(
  options: {
    readonly clock: Clock;
    readonly helper: StorageHelper;
    /** The folder of all images. */
    readonly folder: string;
    readonly sizeBytesMax: number;
    /** Names the attempt, so that what it leaves after a crash can be found. */
    readonly attempt?: { readonly id: string; readonly onProgress: (percent: number) => void };
  },
  source: string,
  facts: ImageFacts,
): Promise<ImageManifest> {
  const { clock, helper, sizeBytesMax } = options;
  const folder = join(options.folder, facts.name);
  const { attempt } = options;
  const partial = partialPath(folder, attempt?.id ?? randomUUID());
  await helper.call('makeFolder', { path: folder }, LOOK);
  if (attempt !== undefined) await helper.call('remove', { path: partial }, LOOK);
  try {
    const { sha256, sizeBytes } = await helper.call(
      'copy',
      { from: source, to: partial, sizeBytesMax },
      {
        ...COPY,
        onProgress: ({ doneBytes, totalBytes }) =>
          attempt?.onProgress(Math.floor((doneBytes * 100) / Math.max(1, totalBytes))),
      },
    );
    const disk = await checkDiskImage(helper, { path: partial, sizeBytes }, facts.format);
    const { format: _claimed, ...said } = facts;
    const manifest: ImageManifest = {
      ...said,
      ...disk,
      version: sha256,
      sizeBytes,
      createdAtMs: clock.nowMs(),
      minDiskGiB: Math.max(1, Math.ceil(disk.virtualSizeBytes / GIB)),
    };
    const manifestPath = join(folder, `${sha256}.json`);
    if ((await helper.call('size', { path: manifestPath }, LOOK)) !== null) return manifest;
    const to = join(folder, `${sha256}.${disk.format}`);
    await helper.call('rename', { from: partial, to }, LOOK);
    const text = JSON.stringify(manifest, undefined, 2);
    await helper.call('writeText', { path: manifestPath, text }, LOOK);
    return manifest;
  } finally {
    // Gone already when all went well. A crash leaves it; its name says that it is nothing.
    await helper.call('remove', { path: partial }, LOOK);
  }
}

/** Removes what an attempt that was cut off has left. @throws StorageHangsError, StorageError */
export async function removePartial(
  { helper, folder }: { readonly helper: StorageHelper; readonly folder: string },
  name: string,
  attemptId: string,
): Promise<void> {
  await helper.call('remove', { path: partialPath(join(folder, name), attemptId) }, LOOK);
}

function partialPath(folder: string, id: string): string {
  return join(folder, `.partial-${id}`);
}
