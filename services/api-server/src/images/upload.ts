import { IMAGE_LINK_LIMITS, type ImageId, PROBLEMS, type ProjectId } from '@factory/contracts';
import { type Clock, keyedMutex, ProblemError, waitFor } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import type { ImageFiles } from './files.ts';
import type { ImageService } from './service.ts';
import { IMAGE_STATES, type ImageVersionRecord, inState } from './version.ts';

interface UploadParts {
  readonly store: Pick<ApiStore, 'images'>;
  readonly images: ImageService;
  readonly files: ImageFiles;
  readonly clock: Clock;
  readonly wake: () => void;
  readonly sizeBytesMax: number;
}

/** Longer than a part's way to the storage may take: a server that died holds nobody up for longer. */
const LEASE_MS = 25_000;
const LEASE_POLL_MS = 100;

/**
 * Content in parts: what has arrived stays, so an upload goes on where it broke off. Of one upload
 * one part is written at a time, by whichever api-server: what comes meanwhile waits.
 */
export class ImageUploads {
  readonly #parts: UploadParts;
  readonly #inOrder = keyedMutex();

  constructor(parts: UploadParts) {
    this.#parts = parts;
  }

  /** How much has arrived, in bytes. @throws ProblemError 404 */
  async offset(projectId: ProjectId, id: ImageId): Promise<number> {
    await this.#parts.images.own(projectId, id);
    return this.#parts.files.sizeBytes(id);
  }

  /**
   * Takes a part that begins at `offset`; gives how much has arrived then. A part that came before
   * changes nothing. @throws ProblemError 404, 409 with where to go on, 413
   */
  put(projectId: ProjectId, id: ImageId, offset: number, bytes: Uint8Array): Promise<number> {
    return this.#alone(projectId, id, async (record) => {
      const { files, store, clock, sizeBytesMax } = this.#parts;
      requireUploading(record);
      const here = await files.sizeBytes(id);
      if (offset > here) {
        const detail = `Only ${here} bytes have arrived; go on from there.`;
        throw new ProblemError(PROBLEMS.wrongState, detail, { extra: { offset: here } });
      }
      const limit = Math.min(sizeBytesMax, record.totalBytes ?? sizeBytesMax);
      if (offset + bytes.length > limit) {
        const detail = `The image would be larger than ${limit} bytes.`;
        throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'offset' });
      }
      const sizeBytes = await files.write(id, offset, bytes);
      const deadlineAtMs = clock.nowMs() + IMAGE_STATES.uploading.deadlineMs;
      await store.images.update(id, ['uploading'], { sizeBytes, deadlineAtMs });
      return sizeBytes;
    });
  }

  /** All has arrived: it is verified next. Saying it again changes nothing. @throws ProblemError */
  complete(projectId: ProjectId, id: ImageId, sha256?: string): Promise<ImageVersionRecord> {
    return this.#alone(projectId, id, async (record) => {
      const { files, store, clock, wake } = this.#parts;
      if (record.state === 'verifying' || record.state === 'ready') return record;
      requireUploading(record);
      const sizeBytes = await files.sizeBytes(id);
      if (sizeBytes === 0 || (record.totalBytes !== null && sizeBytes !== record.totalBytes)) {
        const detail = `${sizeBytes} of ${record.totalBytes ?? 'some'} bytes have arrived.`;
        throw new ProblemError(PROBLEMS.wrongState, detail, { extra: { offset: sizeBytes } });
      }
      const expectedSha256 = sha256 ?? record.expectedSha256;
      const patch = { ...inState('verifying', clock.nowMs()), sizeBytes, expectedSha256 };
      await store.images.update(id, ['uploading'], patch);
      wake();
      return { ...record, ...patch };
    });
  }

  /** Does `work` with the version when nobody else works on its upload. */
  #alone<T>(
    projectId: ProjectId,
    id: ImageId,
    work: (record: ImageVersionRecord) => Promise<T>,
  ): Promise<T> {
    const { images, store, clock } = this.#parts;
    const tryLease = async (): Promise<{ readonly isOurs: boolean } | undefined> => {
      // What is no upload any more is only looked at.
      if ((await images.own(projectId, id)).state !== 'uploading') return { isOurs: false };
      const nowMs = clock.nowMs();
      const isOurs = await store.images.lease(id, 'uploading', nowMs, nowMs + LEASE_MS);
      return isOurs ? { isOurs } : undefined;
    };
    return this.#inOrder(id, async () => {
      const waitMs = LEASE_MS + LEASE_POLL_MS;
      const { isOurs } = await waitFor(clock, 'the upload', waitMs, tryLease, LEASE_POLL_MS).catch(
        (cause: unknown) => {
          if (cause instanceof ProblemError) throw cause;
          const detail = 'Another part of this upload is being written; send this one again.';
          throw new ProblemError(PROBLEMS.notReady, detail, { cause });
        },
      );
      try {
        return await work(await images.own(projectId, id));
      } finally {
        if (isOurs) await store.images.update(id, ['uploading'], { leaseUntilMs: 0 });
      }
    });
  }
}

/** Bytes of a part at most. */
export const PART_BYTES_MAX = IMAGE_LINK_LIMITS.partBytesMax;

function requireUploading({ state, message }: ImageVersionRecord): void {
  if (state === 'uploading') return;
  const detail = `The version is ${state}${message === null ? '' : `: ${message}`}; begin a new one.`;
  throw new ProblemError(PROBLEMS.wrongState, detail);
}
