import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageManifest, type ImageRef, parseImageManifest } from '@factory/contracts';
import {
  type Clock,
  createLimiter,
  type Logger,
  singleFlight,
  syncToDisk,
  writeFileAtomic,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { HeldImage, Image, ImageSource } from '../storage/port.ts';
import { backingFilesBelow } from './backing-files.ts';
import { type Cached, evictionsFor } from './eviction.ts';
import type { ImageFolder } from './image-folder.ts';
import type { PullTickets } from './pull-tickets.ts';

/** Copies at a time on one host: more would only share its line. */
const PULLS_MAX = 2;
/** QEMU runs as a user of its own, and must pass to the files; the list is not for it. */
const FOLDER_MODE = 0o711;

/** A version of an image on this host, or on its way here. */
export interface ImagePresence {
  readonly name: string;
  readonly version: string;
  /** 100: it is here. */
  readonly percent: number;
}

/** The images of this host: copies of versions on shared storage, which disks lie upon. */
export interface ImageCache extends ImageSource {
  /** Finds what is here, and removes what was left half-made. To be called first, once. */
  prepare(): Promise<void>;
  /** Brings a version here before any machine asks for it. @throws VmFailure */
  stage(ref: ImageRef, onProgress?: (percent: number) => void): Promise<void>;
  presence(): readonly ImagePresence[];
}

interface Options {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `<hostDir>/cache/<version>.{qcow2,raw,json}`; disks are below `<hostDir>/overlays`. */
  readonly hostDir: string;
  readonly images: ImageFolder;
  /** Asked before each copy: only so many go on at a time in a cluster. */
  readonly tickets?: Pick<PullTickets, 'wait'>;
  /** The files together take no more than this. */
  readonly sizeBytesMax: number;
}

interface Entry extends Cached {
  readonly manifest: ImageManifest;
  lastUsedMs: number;
  pins: number;
  /** Counts the uses: what was used while somebody looked for something to evict stays. */
  uses: number;
}

interface Pull {
  readonly manifest: ImageManifest;
  percent: number;
  readonly listeners: Set<(percent: number) => void>;
}

/**
 * The host's copies of images. A version is copied once, however many ask for it, and checked by its
 * sum; the manifest comes last, so what has one is whole. When there is no room, those go that were
 * used longest ago, but never one that a disk lies upon.
 */
export function createImageCache(options: Options): ImageCache {
  return new HostImageCache(options);
}

class HostImageCache implements ImageCache {
  readonly #options: Options;
  readonly #folder: string;
  readonly #entries = new Map<string, Entry>();
  readonly #pulls = new Map<string, Pull>();
  readonly #oncePerVersion = singleFlight<Entry>();
  readonly #limitPulls = createLimiter(PULLS_MAX);
  readonly #oneEviction = createLimiter(1);
  #reservedBytes = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#folder = join(options.hostDir, 'cache');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: FOLDER_MODE });
    const names = await readdir(this.#folder);
    for (const name of names.filter(isManifest)) await this.#adopt(join(this.#folder, name));
    await this.#removeLeftovers(names);
  }

  /** What was not finished, but nothing that a disk lies upon. */
  async #removeLeftovers(names: readonly string[]): Promise<void> {
    const known = new Set(
      [...this.#entries.values()].map(({ manifest }) => this.#pathOf(manifest)),
    );
    const paths = names.filter((name) => !isManifest(name)).map((name) => join(this.#folder, name));
    const leftovers = paths.filter((path) => !known.has(path));
    if (leftovers.length === 0) return;
    const backing = await backingFilesBelow(join(this.#options.hostDir, 'overlays'));
    for (const path of leftovers.filter((each) => !backing.has(each))) await rm(path);
  }

  async acquire(ref: ImageRef, signal?: AbortSignal): Promise<HeldImage> {
    const entry = this.#use(ref.version) ?? (await this.#pullAndUse(ref, signal));
    let isHeld = true;
    return {
      ...toImage(entry.manifest),
      path: this.#pathOf(entry.manifest),
      format: entry.manifest.format,
      release: () => {
        if (isHeld) entry.pins -= 1;
        isHeld = false;
      },
    };
  }

  async describe(ref: ImageRef): Promise<Image> {
    const cached = ref.version === undefined ? undefined : this.#entries.get(ref.version);
    return toImage(cached?.manifest ?? (await this.#options.images.find(ref)));
  }

  async stage(ref: ImageRef, onProgress?: (percent: number) => void): Promise<void> {
    const manifest = await this.#options.images.find(ref);
    if (!this.#entries.has(manifest.version)) await this.#pull(manifest, onProgress);
    onProgress?.(100);
  }

  presence(): readonly ImagePresence[] {
    const pulling = Array.from(this.#pulls.values(), ({ manifest, percent }) => ({
      name: manifest.name,
      version: manifest.version,
      percent: Math.min(percent, 99),
    }));
    const here = Array.from(this.#entries.values(), ({ manifest }) => ({
      name: manifest.name,
      version: manifest.version,
      percent: 100,
    }));
    return [...here, ...pulling];
  }

  /** Pins what is here, in the same turn as it is looked up: nobody can evict it in between. */
  #use(version: string | undefined): Entry | undefined {
    const entry = version === undefined ? undefined : this.#entries.get(version);
    if (entry === undefined) return undefined;
    const nowMs = this.#options.clock.nowMs();
    entry.pins += 1;
    entry.uses += 1;
    entry.lastUsedMs = nowMs;
    // What the next executor goes by; that it fails harms nobody.
    utimes(this.#manifestPath(entry.version), nowMs / 1000, nowMs / 1000).catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, 'the use of an image is not noted'),
    );
    return entry;
  }

  async #pullAndUse(ref: ImageRef, signal: AbortSignal | undefined): Promise<Entry> {
    const manifest = await unlessAborted(this.#options.images.find(ref), signal);
    for (;;) {
      const entry = this.#use(manifest.version);
      if (entry !== undefined) return entry;
      // Who no longer wants it leaves; the copy goes on, for others or for the next time. It may
      // be evicted before its use, when there is little room and much is wanted: then once more.
      await unlessAborted(this.#pull(manifest), signal);
    }
  }

  async #pull(manifest: ImageManifest, onProgress?: (percent: number) => void): Promise<void> {
    const { version } = manifest;
    const pull = this.#pulls.get(version) ?? { manifest, percent: 0, listeners: new Set() };
    this.#pulls.set(version, pull);
    if (onProgress !== undefined) pull.listeners.add(onProgress);
    try {
      await this.#oncePerVersion(version, () => this.#limitPulls(() => this.#copyInTurn(pull)));
    } finally {
      if (onProgress !== undefined) pull.listeners.delete(onProgress);
      if (this.#pulls.get(version) === pull) this.#pulls.delete(version);
    }
  }

  async #copyInTurn(pull: Pull): Promise<Entry> {
    await this.#options.tickets?.wait(pull.manifest.version);
    return this.#copy(pull);
  }

  async #copy(pull: Pull): Promise<Entry> {
    const { manifest } = pull;
    const path = this.#pathOf(manifest);
    const partial = `${path}.partial`;
    await this.#makeRoom(manifest);
    try {
      await rm(partial, { force: true });
      await this.#options.images.copy(manifest, partial, (percent) => {
        pull.percent = percent;
        for (const listener of pull.listeners) listener(percent);
      });
      await rename(partial, path);
      await syncToDisk(this.#folder);
      await writeFileAtomic(this.#manifestPath(manifest.version), JSON.stringify(manifest));
      return this.#enter(manifest, this.#options.clock.nowMs());
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      this.#reservedBytes -= manifest.sizeBytes;
    }
  }

  /** Reserves room for a file, which the caller gives back. @throws VmFailure `DISK_FULL` */
  #makeRoom({ sizeBytes, name }: ImageManifest): Promise<void> {
    return this.#oneEviction(async () => {
      const { hostDir, sizeBytesMax, logger } = this.#options;
      const entries = [...this.#entries.values()];
      const usedBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, this.#reservedBytes);
      const neededBytes = usedBytes + sizeBytes - sizeBytesMax;
      if (neededBytes > 0) {
        const usesBefore = new Map(entries.map((entry) => [entry, entry.uses]));
        const backing = await backingFilesBelow(join(hostDir, 'overlays'));
        const free = entries.filter(
          (entry) =>
            entry.pins === 0 &&
            entry.uses === usesBefore.get(entry) &&
            !backing.has(this.#pathOf(entry.manifest)),
        );
        const evictions = evictionsFor(free, neededBytes);
        if (evictions === undefined) {
          const message = `The host's images leave no room for ${name}: machines use them all.`;
          throw new VmFailure('DISK_FULL', message, { isTransient: true });
        }
        // First of all nobody finds them any more.
        for (const { version } of evictions) this.#entries.delete(version);
        for (const { manifest, version } of evictions) {
          logger.info({ image: manifest.name, version }, 'an image makes room');
          await this.#removeFiles(manifest);
        }
      }
      this.#reservedBytes += sizeBytes;
    });
  }

  /** The manifest first: without it the file is nothing. */
  async #removeFiles(manifest: ImageManifest): Promise<void> {
    await rm(this.#manifestPath(manifest.version), { force: true });
    await rm(this.#pathOf(manifest), { force: true });
  }

  async #adopt(manifestPath: string): Promise<void> {
    const manifest = parseImageManifest(await readFile(manifestPath, 'utf8'));
    if (manifest === undefined) {
      this.#options.logger.warn({ path: manifestPath }, 'a cached image says nothing of itself');
      return;
    }
    const found = await stat(this.#pathOf(manifest)).catch(() => undefined);
    if (found?.size === manifest.sizeBytes) {
      this.#enter(manifest, (await stat(manifestPath)).mtimeMs);
      return;
    }
    // Its disks, if there are any, are beyond help; new ones need a whole copy.
    this.#options.logger.error({ image: manifest.name }, 'a cached image is not whole');
    await rm(manifestPath, { force: true });
  }

  #enter(manifest: ImageManifest, lastUsedMs: number): Entry {
    const { version, sizeBytes } = manifest;
    const entry = { manifest, version, sizeBytes, lastUsedMs, pins: 0, uses: 0 };
    this.#entries.set(version, entry);
    return entry;
  }

  #pathOf({ version, format }: ImageManifest): string {
    return join(this.#folder, `${version}.${format}`);
  }

  #manifestPath(version: string): string {
    return join(this.#folder, `${version}.json`);
  }
}

function isManifest(fileName: string): boolean {
  return /^[0-9a-f]{64}\.json$/.test(fileName);
}

/** @throws the signal's reason, at once, when it aborts; nobody hears of `work` then. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function toImage({ name, virtualSizeBytes, readyMarker, minMemoryMiB }: ImageManifest): Image {
  return { name, virtualSizeBytes, readyMarker, minMemoryMiB };
}
