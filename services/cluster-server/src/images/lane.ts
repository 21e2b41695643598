import type { ClusterImage, HostImage, ImageStage, ImagesAnswer } from '@factory/contracts';
import { type Clock, createBackoff, type Logger, type Random, sleep } from '@factory/runtime';
import { ImageImporter, keyOf } from './importer.ts';
import { createRate, type Rate } from './rate.ts';
import type { ImageReader } from './reader.ts';
import type { ImageShelf } from './shelf.ts';
import { ImageUploader } from './uploader.ts';

const QUIET_INTERVAL_MS = 5_000;
/** While something is on its way its progress is told more often. */
const BUSY_INTERVAL_MS = 1_000;
const NOT_LINKED_MS = 500;
const BACKOFF = { baseMs: 500, maxMs: 15_000 } as const;

/** Images on hosts, by version (contracts: `ClusterImage.hosts`). */
export type HostImages = ReadonlyMap<string, readonly HostImage[]>;

interface LaneParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly reader: ImageReader;
  readonly shelf: ImageShelf;
  /** Tells the api-server, and gives its answer; undefined while there is no session. */
  readonly exchange: (images: readonly ClusterImage[]) => Promise<ImagesAnswer | undefined>;
  readonly fetchPart: (imageId: string, offset: number) => Promise<Uint8Array>;
  /** Sends a part of a version up; gives how much has arrived there. */
  readonly sendPart: (imageId: string, offset: number, bytes: Uint8Array) => Promise<number>;
  /** What hosts have, by version. */
  readonly readHosts: () => Promise<HostImages>;
  /** Passes on which versions are wanted on which hosts. */
  readonly stage: (stages: readonly ImageStage[]) => Promise<void>;
}

/**
 * The images' own lane of the cluster link: tells again and again how every version stands here, and
 * does what the answer says should be. Nothing is kept: what is on shared storage and what the answer
 * says is all there is to know.
 */
export class ImageLane {
  readonly #parts: LaneParts;
  readonly #rate: Rate;
  readonly #importer: ImageImporter;
  readonly #uploader: ImageUploader;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#rate = createRate(parts.clock);
    const { signal } = this.#closing;
    this.#importer = new ImageImporter({
      ...parts,
      fetchPart: async (imageId, offset) => {
        const bytes = await parts.fetchPart(imageId, offset);
        await this.#rate.pass(bytes.length, signal);
        return bytes;
      },
    });
    this.#uploader = new ImageUploader({
      ...parts,
      sendPart: async (imageId, offset, bytes) => {
        await this.#rate.pass(bytes.length, signal);
        return parts.sendPart(imageId, offset, bytes);
      },
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#importer.close();
    this.#uploader.close();
    this.#closing.abort(new Error('the cluster-server is closing'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, logger } = this.#parts;
    const { signal } = this.#closing;
    const backoff = createBackoff({ ...BACKOFF, random });
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#round();
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error }, 'images were not spoken of; trying again');
        waitMs = backoff.nextMs();
      }
      await sleep(clock, waitMs, signal).catch(() => undefined);
    }
  }

  /** One exchange, and what follows from it; gives how long to wait for the next. */
  async #round(): Promise<number> {
    const { reader, exchange, stage, logger } = this.#parts;
    const images = await reader.all();
    if (images === undefined) return BUSY_INTERVAL_MS;
    const manifests = images.flatMap(({ name, version, made }) =>
      version === undefined ? [] : [{ name, version, ...(made === undefined ? {} : { made }) }],
    );
    const there = new Set(manifests.map(keyOf));
    const states = await this.#states(manifests, there);
    const answer = await exchange(states);
    if (answer === undefined) return NOT_LINKED_MS;
    this.#rate.set(answer.bytesPerSecond);
    this.#uploader.want(answer.uploads ?? []);
    this.#importer.want(answer.wanted, there);
    await this.#importer.drop(answer.dropped);
    if (answer.stages.length > 0) {
      await stage(answer.stages).catch((error: unknown) => {
        logger.warn({ err: error }, 'stages were not passed on; the next round repeats them');
      });
    }
    const isPulling = states.some(({ hosts }) => hosts.some(({ percent }) => percent < 100));
    const isBusy = this.#importer.isBusy || this.#uploader.isBusy || isPulling;
    return isBusy ? BUSY_INTERVAL_MS : QUIET_INTERVAL_MS;
  }

  async #states(
    manifests: readonly Pick<ClusterImage, 'name' | 'version' | 'made'>[],
    there: ReadonlySet<string>,
  ): Promise<readonly ClusterImage[]> {
    const { readHosts, logger } = this.#parts;
    const hosts = await readHosts().catch((error: unknown): HostImages => {
      logger.debug({ err: error }, 'nobody says which images hosts have');
      return new Map();
    });
    const ready = manifests.map(
      ({ name, version, made }): ClusterImage => ({
        ...{ name, version, state: 'ready', percent: 100, message: null },
        ...(made === undefined ? {} : { made }),
        hosts: [...(hosts.get(version) ?? [])],
      }),
    );
    return [...ready, ...this.#importer.states().filter((each) => !there.has(keyOf(each)))];
  }
}
