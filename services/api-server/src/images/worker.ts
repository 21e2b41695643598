import {
  type Clock,
  createBackoff,
  ImageRefusedError,
  type Logger,
  type Random,
  sleep,
} from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import type { ImageFiles } from './files.ts';
import type { Replication } from './replication.ts';
import { IMAGE_STATES, type ImageVersionRecord, inState } from './version.ts';

/** How often this looks for work that nobody told it of. */
const LOOK_INTERVAL_MS = 5_000;
/** Work whose server died is taken up by another after this. */
const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 5_000;
/** What failed is tried again after this; others come first. */
const RETRY_MS = 15_000;
/** Versions that one api-server works on at a time. */
const LANES = 3;

/** Fetches the content of a version. */
export interface ImageDownloads {
  /**
   * Goes on with the download of `record` to its end, calling `onProgress` on the way.
   * @throws DownloadRefusedError when it can never succeed; others are tried again.
   */
  fetch(
    record: ImageVersionRecord,
    onProgress: (progress: DownloadProgress) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface DownloadProgress {
  readonly sizeBytes: number;
  readonly totalBytes: number | null;
  readonly etag?: string;
}

/** A download that will not succeed, however often it is tried; the message is for its owner. */
export class DownloadRefusedError extends Error {
  readonly code = 'FACTORY_ERR_DOWNLOAD_REFUSED';
  constructor(message: string) {
    super(message);
    this.name = 'DownloadRefusedError';
  }
}

interface WorkerParts {
  readonly store: Pick<ApiStore, 'images'>;
  readonly files: ImageFiles;
  readonly downloads: ImageDownloads;
  readonly replication: Pick<Replication, 'sweep'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Moves versions on that the api-server owns: downloads, verifies, deletes, and ends what is past
 * its deadline. Several may run, each with work of its own, leased by the store.
 */
export class ImageWorker {
  readonly #parts: WorkerParts;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  readonly #wakes = new Set<() => void>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  start(): void {
    const lanes = Array.from({ length: LANES }, () => this.#run(() => this.#work()));
    const house = this.#run(() => this.#keepHouse());
    this.#running = Promise.all([house, ...lanes]).then(() => undefined);
  }

  /** There is work. */
  wake(): void {
    for (const wake of this.#wakes) wake();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the api-server is closing'));
    this.wake();
    await this.#running;
  }

  /** Repeats `step`, which gives whether it did something, until this is closed. */
  async #run(step: () => Promise<boolean>): Promise<void> {
    const { clock, random, logger } = this.#parts;
    const { signal } = this.#closing;
    const backoff = createBackoff({ baseMs: 500, maxMs: 15_000, random });
    while (!signal.aborted) {
      try {
        const didSome = await step();
        backoff.reset();
        if (!didSome) await this.#rest();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error }, 'work on images failed; trying again');
        await sleep(clock, backoff.nextMs(), signal).catch(() => undefined);
      }
    }
  }

  async #rest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakes.add(resolve);
    const timer = this.#parts.clock.after(LOOK_INTERVAL_MS, resolve);
    if (!this.#closing.signal.aborted) await promise;
    timer.cancel();
    this.#wakes.delete(resolve);
  }

  /** Ends what is past its deadline, forgets what is deleted, has brought what batches wait for. */
  async #keepHouse(): Promise<boolean> {
    const { store, clock } = this.#parts;
    for (const record of await store.images.pastDeadline(clock.nowMs())) {
      await this.#expire(record);
    }
    await this.#forgetDeleted();
    await this.#parts.replication.sweep(clock.nowMs());
    return false;
  }

  /** One piece of work; gives whether there was any. */
  async #work(): Promise<boolean> {
    const { store, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const record = await store.images.claim(['downloading', 'verifying'], nowMs, nowMs + LEASE_MS);
    if (record === undefined) return false;
    await this.#leased(record, (signal) =>
      record.state === 'verifying' ? this.#verify(record, signal) : this.#download(record, signal),
    );
    return true;
  }

  /** Works on a version, renewing the lease; stops when it is no longer wanted. */
  async #leased(
    record: ImageVersionRecord,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { store, clock, logger } = this.#parts;
    const lost = new AbortController();
    const signal = AbortSignal.any([lost.signal, this.#closing.signal]);
    const renew = async (): Promise<void> => {
      const patch = { leaseUntilMs: clock.nowMs() + LEASE_MS };
      const isOurs = await store.images.update(record.id, [record.state], patch);
      if (!isOurs) lost.abort(new Error('the version is no longer wanted'));
    };
    let timer = clock.after(RENEW_EVERY_MS, tick);
    function tick(): void {
      renew().catch((error: unknown) => logger.warn({ err: error }, 'a lease is not renewed'));
      timer = clock.after(RENEW_EVERY_MS, tick);
    }
    try {
      await work(signal);
    } catch (error) {
      if (lost.signal.aborted) return;
      const isFinal = error instanceof ImageRefusedError || error instanceof DownloadRefusedError;
      if (isFinal) await this.#fail(record, error.message);
      else {
        // Shown, and tried again by whoever comes next.
        const message = error instanceof Error ? error.message : String(error);
        logger.warn({ err: error, image: record.name }, 'work on an image failed; again later');
        const leaseUntilMs = this.#closing.signal.aborted ? 0 : clock.nowMs() + RETRY_MS;
        await store.images.update(record.id, [record.state], { message, leaseUntilMs });
      }
    } finally {
      timer.cancel();
    }
  }

  async #download(record: ImageVersionRecord, signal: AbortSignal): Promise<void> {
    const { store, clock, downloads, files } = this.#parts;
    await downloads.fetch(
      record,
      async ({ sizeBytes, totalBytes, etag }) => {
        const { source } = record;
        const deadlineAtMs = clock.nowMs() + IMAGE_STATES.downloading.deadlineMs;
        const patch = { sizeBytes, totalBytes, deadlineAtMs, message: null };
        const known =
          source.kind === 'url' && etag !== undefined ? { source: { ...source, etag } } : {};
        await store.images.update(record.id, ['downloading'], { ...patch, ...known });
      },
      signal,
    );
    const sizeBytes = await files.sizeBytes(record.id);
    const patch = { ...inState('verifying', clock.nowMs()), sizeBytes, message: null };
    await store.images.update(record.id, ['downloading'], patch);
  }

  /** The sum over all of it, and what its first bytes say. QEMU's own check is the clusters' part. */
  async #verify(record: ImageVersionRecord, signal: AbortSignal): Promise<void> {
    const { store, files, clock, logger } = this.#parts;
    const { id, expectedSha256, facts } = record;
    const disk = await files.inspect(id, facts.format);
    const version = await files.sum(id, () => signal.throwIfAborted());
    if (expectedSha256 !== null && version !== expectedSha256) {
      const detail = `The content has the SHA-256 ${version}, not ${expectedSha256}.`;
      return this.#fail(record, detail);
    }
    const { format, virtualSizeBytes } = disk;
    const minDiskGiB = Math.max(facts.minDiskGiB, Math.ceil(virtualSizeBytes / 1024 ** 3));
    await store.images.update(id, ['verifying'], {
      ...inState('ready', clock.nowMs()),
      ...{ version, format, virtualSizeBytes, message: null },
      facts: { ...facts, minDiskGiB },
      sizeBytes: await files.sizeBytes(id),
    });
    logger.info({ image: record.name, imageId: id, version }, 'a version of an image is ready');
  }

  async #fail(record: ImageVersionRecord, message: string): Promise<void> {
    const { store, files, clock, logger } = this.#parts;
    logger.warn({ image: record.name, imageId: record.id, why: message }, 'an image is refused');
    const patch = { ...inState('failed', clock.nowMs()), message };
    if (await store.images.update(record.id, [record.state], patch)) await files.remove(record.id);
  }

  async #expire(record: ImageVersionRecord): Promise<void> {
    const { store, files } = this.#parts;
    if (IMAGE_STATES[record.state].atDeadline === 'failed') {
      const why = record.message === null ? '' : ` The last failure: ${record.message}`;
      return this.#fail(
        record,
        `Nothing more came of it in time while it was ${record.state}.${why}`,
      );
    }
    await files.remove(record.id);
    await store.images.remove(record.id);
  }

  /** What is deleted and in no cluster any more is forgotten. */
  async #forgetDeleted(): Promise<void> {
    const { store, files } = this.#parts;
    const deleting = await store.images.inStates(['deleting']);
    if (deleting.length === 0) return;
    const told = (await store.images.clusterImages()).flatMap(({ images }) => images);
    const ready = await store.images.inStates(['ready']);
    for (const { id, folder, version } of deleting) {
      const isSame = (each: { version: string | null }) => each.version === version;
      const isThere = told.some((each) => each.name === folder && isSame(each));
      // Another row of the same content stays: then nothing of it is dropped.
      if (isThere && !ready.some((each) => each.folder === folder && isSame(each))) continue;
      await files.remove(id);
      await store.images.remove(id);
    }
  }
}
