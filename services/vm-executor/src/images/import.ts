import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { type Clock, checkDiskImage, StorageError, type StorageHelper } from '@factory/runtime';
import { Attempt } from './attempt.ts';

/** What the owner of a file says of it. */
export interface ImageFacts
  extends Pick<
    ImageManifest,
    'name' | 'os' | 'firmware' | 'drivers' | 'minMemoryMiB' | 'readyMarker' | 'madeOf'
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
 * are the same version, and stay as they are. An attempt of the same name begins anew.
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
    readonly attempt?: {
      readonly id: string;
      readonly onProgress: (percent: number) => void;
      readonly signal?: AbortSignal;
    };
  },
  source: string,
  facts: ImageFacts,
): Promise<ImageManifest> {
  const { clock, helper, sizeBytesMax } = options;
  const folder = join(options.folder, facts.name);
  const { attempt: named } = options;
  const attempt = new Attempt(helper, folder, named?.id ?? randomUUID());
  await helper.call('makeFolder', { path: folder }, LOOK);
  if (named !== undefined) await attempt.takeBack();
  try {
    const { sha256, sizeBytes } = await helper.call(
      'copy',
      { from: source, to: attempt.partial, sizeBytesMax },
      {
        ...COPY,
        ...(named?.signal === undefined ? {} : { signal: named.signal }),
        onProgress: ({ doneBytes, totalBytes }) =>
          named?.onProgress(Math.floor((doneBytes * 100) / Math.max(1, totalBytes))),
      },
    );
    const disk = await checkDiskImage(helper, { path: attempt.partial, sizeBytes }, facts.format);
    const { format: _claimed, ...said } = facts;
    const manifest: ImageManifest = {
      ...said,
      ...disk,
      version: sha256,
      sizeBytes,
      createdAtMs: clock.nowMs(),
      minDiskGiB: Math.max(1, Math.ceil(disk.virtualSizeBytes / GIB)),
    };
    named?.signal?.throwIfAborted();
    if (!(await attempt.isPublished(manifest))) await publish(attempt, manifest, helper);
    return manifest;
  } finally {
    // Gone already when all went well. A crash leaves it; its name says that it is nothing.
    await helper.call('remove', { path: attempt.partial }, LOOK);
  }
}

async function publish(
  attempt: Attempt,
  manifest: ImageManifest,
  helper: StorageHelper,
): Promise<void> {
  const { file, manifest: path } = attempt.pathsOf(manifest);
  await attempt.note(manifest);
  await helper.call('rename', { from: attempt.partial, to: file }, LOOK);
  const text = JSON.stringify(manifest, undefined, 2);
  await helper.call('writeText', { path, text }, LOOK);
  if (!(await attempt.isPublished(manifest))) {
    // Somebody who was removing the same version has just taken it away.
    throw new StorageError('FACTORY_ERR_STORAGE', 'the file of the image is gone again');
  }
  await attempt.forget();
}

/** Removes what an attempt that was cut off has left. @throws StorageHangsError, StorageError */
export async function removeAttempt(
  { helper, folder }: { readonly helper: StorageHelper; readonly folder: string },
  name: string,
  attemptId: string,
): Promise<void> {
  await new Attempt(helper, join(folder, name), attemptId).takeBack();
}
