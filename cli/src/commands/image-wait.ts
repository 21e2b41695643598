import type { Clock } from '@factory/runtime';
import { waitFor } from '@factory/runtime';
import type { ImageClient, ImageVersion } from '../client/image-client.ts';
import type { Progress } from '../output/progress.ts';

const POLL_MS = 500;

/** An image was refused, or a cluster can't take it; the message says why. */
export class ImageImportError extends Error {
  readonly code = 'FACTORY_ERR_IMAGE_IMPORT';
  constructor(message: string) {
    super(message);
    this.name = 'ImageImportError';
  }
}

/**
 * Waits until a version is ready, and in every cluster that speaks of it; gives its SHA-256.
 * @throws ImageImportError, DeadlineExceededError
 */
export async function waitForImport(
  images: ImageClient,
  clock: Clock,
  { id, name }: Pick<ImageVersion, 'id' | 'name'>,
  progress: Progress,
  timeoutMs: number,
): Promise<string> {
  const what = `the image ${name}`;
  return waitFor(
    clock,
    what,
    timeoutMs,
    async () => {
      const found = (await images.get(name)).versions.find((each) => each.id === id);
      if (found === undefined) throw new ImageImportError(`The version ${id} was deleted.`);
      if (found.state === 'failed') throw new ImageImportError(`${name}: ${found.message}`);
      progress.step(describe(found));
      if (found.version === null || found.clusters.length === 0) return undefined;
      const failed = found.clusters.find(({ state }) => state === 'failed');
      const ready = found.clusters.every(({ state }) => state === 'ready');
      if (failed !== undefined && !found.clusters.some(({ state }) => state === 'importing')) {
        throw new ImageImportError(`${failed.cluster} did not take ${name}: ${failed.message}`);
      }
      return ready ? found.version : undefined;
    },
    POLL_MS,
  );
}

function describe({ name, state, sizeBytes, totalBytes, clusters, message }: ImageVersion): string {
  if (state === 'ready') {
    const places = clusters.map((each) =>
      each.state === 'importing'
        ? `${each.cluster} ${each.percent} %`
        : `${each.cluster} ${each.state}`,
    );
    return `${name}: ${places.join(', ') || 'waiting for the clusters'}`;
  }
  const part = totalBytes === null ? '' : ` ${Math.floor((sizeBytes * 100) / totalBytes)} %`;
  return `${name}: ${state}${part}${message === null ? '' : ` (${message})`}`;
}
