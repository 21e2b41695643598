import type { ImageManifest } from '@factory/contracts';
import {
  type Clock,
  ImageRefusedError,
  StorageError,
  StorageHangsError,
  type StorageHelper,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { type ImageFacts, importImage, removeAttempt } from './import.ts';

/** One attempt at publishing. */
export interface PublishAttempt {
  readonly id: string;
  readonly onProgress: (percent: number) => void;
  /** Once it has aborted, nothing is published any more. */
  readonly signal: AbortSignal;
}

/** Where images made here go: to all hosts of the cluster. Methods throw VmFailure. */
export interface ImagePublisher {
  /**
   * Makes a disk's file a new version of an image; the same bytes again are the same version.
   * `id` names the attempt: one that was cut off is begun anew in its place.
   */
  publish(
    draftPath: string,
    facts: ImageFacts,
    attempt: PublishAttempt,
  ): Promise<Pick<ImageManifest, 'version' | 'sizeBytes'>>;
  /** Removes what an attempt left that did not come to its end. */
  discard(name: string, id: string): Promise<void>;
}

/** Publishes to the folder of all images, by helpers alone: it may be on a mount that hangs. */
export function createImagePublisher(options: {
  readonly clock: Clock;
  readonly helper: StorageHelper;
  readonly folder: string;
  readonly sizeBytesMax: number;
}): ImagePublisher {
  return {
    publish: (draftPath, facts, attempt) =>
      orVmFailure(() => importImage({ ...options, attempt }, draftPath, facts)),
    discard: (name, id) => orVmFailure(() => removeAttempt(options, name, id)),
  };
}

async function orVmFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ImageRefusedError) {
      throw new VmFailure('IMAGE_REFUSED', cause.message, { cause });
    }
    const isOurs = cause instanceof StorageError || cause instanceof StorageHangsError;
    if (!isOurs) throw cause;
    const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
    const message = `publishing the image failed: ${cause.message}`;
    // Storage comes back, and somebody makes room.
    throw new VmFailure(isFull ? 'DISK_FULL' : 'STORAGE_UNAVAILABLE', message, {
      cause,
      isTransient: true,
    });
  }
}
