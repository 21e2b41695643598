import type { ImageManifest, ImageRef } from '@factory/contracts';
import { type Clock, type Logger, withDeadline } from '@factory/runtime';

/** A folder that does not answer in this time is on a mount that hangs. */
const READ_TIMEOUT_MS = 5_000;

/** A version of an image that the cluster's hosts can start. */
export interface ImageHere extends ImageRef {
  readonly createdAtMs?: number;
  /** Of one that was made of a machine: all that is known of it. */
  readonly made?: ImageManifest;
}

/** What of a version in the cluster's folder is of interest here. */
export function imageHere(manifest: ImageManifest): ImageHere {
  const { name, version, createdAtMs, madeOf } = manifest;
  return { name, version, createdAtMs, ...(madeOf === undefined ? {} : { made: manifest }) };
}

/** The cluster's images, whatever becomes of the storage that they lie on. */
export interface ImageReader {
  /**
   * As they are, or as they were when the storage last answered; comes within seconds. Undefined
   * before it ever did: nobody may take that for a cluster without images.
   */
  all(): Promise<readonly ImageHere[] | undefined>;
}

/**
 * Reads the images with a deadline. While a reading hangs no other is begun: each would hold one of
 * the few threads that all file work shares, until none is left.
 */
export function createImageReader(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly readImages: () => Promise<readonly ImageHere[]>;
}): ImageReader {
  const { clock, logger, readImages } = options;
  let last: readonly ImageHere[] | undefined;
  let reading: Promise<readonly ImageHere[]> | undefined;
  const read = (): Promise<readonly ImageHere[]> => {
    reading ??= readImages().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  return {
    async all() {
      try {
        last = await withDeadline(clock, 'reading the images', READ_TIMEOUT_MS, read);
      } catch (error) {
        logger.warn({ err: error }, 'the images could not be read; those read last are reported');
      }
      return last;
    },
  };
}
