import {
  type ClusterId,
  IMAGE_LINK_LIMITS,
  type ImageId,
  type ImagesAnswer,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, type Logger, ProblemError } from '@factory/runtime';
import type { LinkPeer } from '../clusters/store.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ImageFiles } from './files.ts';
import type { ReplicaRecord } from './replica-store.ts';
import type { ImageVersionRecord } from './version.ts';

type Upload = NonNullable<ImagesAnswer['uploads']>[number];

interface CopyParts {
  readonly store: Pick<ApiStore, 'images'>;
  readonly files: ImageFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Versions that were made of machines, on their way out of the cluster that has them: when another
 * is to have one, its content comes up the link in parts, is checked by its sum, and then goes on
 * like any other. What has arrived lies in the image store: nothing else has to be remembered.
 */
export class ImageCopies {
  readonly #parts: CopyParts;
  readonly #checking = new Set<ImageId>();

  constructor(parts: CopyParts) {
    this.#parts = parts;
  }

  /** What this cluster is to send now, and from where on. */
  async uploadsOf(
    clusterId: ClusterId,
    ready: readonly ImageVersionRecord[],
    replicas: readonly ReplicaRecord[],
  ): Promise<readonly Upload[]> {
    const { store, files } = this.#parts;
    const isWanted = (record: ImageVersionRecord): boolean =>
      record.source.kind === 'vm' &&
      record.copiedAtMs === null &&
      replicas.some((each) => each.imageId === record.id && each.clusterId !== clusterId);
    const wanted = ready.filter(isWanted);
    if (wanted.length === 0) return [];
    const told = await store.images.clusterImages();
    const uploads: Upload[] = [];
    for (const record of wanted) {
      const { id, folder: name, version, sizeBytes } = record;
      // One of those that have it: by name, the same one each time.
      const source = told.find(({ images }) =>
        images.some(
          (each) => each.version === version && each.name === name && each.state === 'ready',
        ),
      );
      if (version === null || source?.clusterId !== clusterId) continue;
      const offset = await files.sizeBytes(id);
      if (offset >= sizeBytes) this.#check(record);
      else uploads.push({ id, name, version, offset });
    }
    return uploads;
  }

  /** Takes a part; gives how much has arrived. @throws ProblemError 404, 409 with where to go on */
  async take(
    peer: LinkPeer,
    { imageId, offset, bytes }: { imageId: ImageId; offset: number; bytes: Uint8Array },
  ): Promise<number> {
    const { store, files } = this.#parts;
    const record = await store.images.find(imageId);
    if (record?.state !== 'ready' || record.source.kind !== 'vm' || record.copiedAtMs !== null) {
      throw new ProblemError(PROBLEMS.notFound, `Nothing is wanted of ${imageId}.`);
    }
    const told = (await store.images.clusterImages()).find((each) => each.clusterId === peer.id);
    if (told?.images.some((each) => each.version === record.version) !== true) {
      throw new ProblemError(PROBLEMS.notFound, `${peer.name} has no ${imageId}.`);
    }
    const here = await files.sizeBytes(imageId);
    if (offset > here || bytes.length > IMAGE_LINK_LIMITS.partBytesMax) {
      const detail = `Only ${here} bytes have arrived; go on from there.`;
      throw new ProblemError(PROBLEMS.wrongState, detail, { extra: { offset: here } });
    }
    if (offset + bytes.length > record.sizeBytes) {
      const detail = `The image has ${record.sizeBytes} bytes.`;
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'offset' });
    }
    const arrived = await files.write(imageId, offset, bytes);
    if (arrived >= record.sizeBytes) this.#check(record);
    return arrived;
  }

  /** Beside whatever asked for it: the sum of a large file takes minutes. */
  #check(record: ImageVersionRecord): void {
    const { store, files, clock, logger } = this.#parts;
    const { id, version, name } = record;
    if (this.#checking.has(id)) return;
    this.#checking.add(id);
    const work = async (): Promise<void> => {
      if ((await files.sum(id, () => undefined)) === version) {
        await store.images.update(id, ['ready'], { copiedAtMs: clock.nowMs() });
        logger.info({ image: name, imageId: id }, 'an image that was made of a machine is here');
        return;
      }
      logger.warn({ image: name, imageId: id }, 'what came of an image is not it; it comes again');
      await files.remove(id);
    };
    work()
      .catch((err: unknown) => logger.warn({ err, imageId: id }, 'an image was not checked; again'))
      .finally(() => this.#checking.delete(id));
  }
}
