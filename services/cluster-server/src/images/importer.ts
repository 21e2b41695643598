import {
  type ClusterImage,
  type ImageManifest,
  isProjectImageFolder,
  type WantedImage,
} from '@factory/contracts';
import { type Clock, createLimiter, ImageRefusedError, type Logger } from '@factory/runtime';
import type { ImageShelf } from './shelf.ts';

/** Versions that are fetched at a time: more would only share the line. */
const IMPORTS_MAX = 2;
const RETRY_MS = 15_000;
const MESSAGE_MAX = 1_024;

interface Import {
  readonly manifest: ImageManifest;
  percent: number;
  /** Undefined while it goes on. */
  failure: { readonly message: string; readonly againAtMs: number } | undefined;
}

interface ImporterParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shelf: ImageShelf;
  /** The bytes of a version from `offset` on, as many as come at a time. */
  readonly fetchPart: (imageId: string, offset: number) => Promise<Uint8Array>;
}

/**
 * Brings versions into the cluster that it should have, and removes those that are deleted. What has
 * arrived lies on shared storage: after a restart the same goes on from there.
 */
export class ImageImporter {
  readonly #parts: ImporterParts;
  readonly #imports = new Map<string, Import>();
  readonly #limit = createLimiter(IMPORTS_MAX);
  #isClosed = false;

  constructor(parts: ImporterParts) {
    this.#parts = parts;
  }

  /** Begins what is wanted, not there and not under way. */
  want(wanted: readonly WantedImage[], there: ReadonlySet<string>): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const wantedVersions = new Set(wanted.map(({ manifest }) => keyOf(manifest)));
    for (const [key, { failure }] of this.#imports) {
      const isOver = there.has(key) || !wantedVersions.has(key);
      if (isOver && failure !== undefined) this.#imports.delete(key);
    }
    for (const { id, manifest } of wanted) {
      const key = keyOf(manifest);
      if (there.has(key)) continue;
      const known = this.#imports.get(key);
      if (known !== undefined && (known.failure?.againAtMs ?? Number.POSITIVE_INFINITY) > nowMs) {
        continue;
      }
      const entry: Import = { manifest, percent: 0, failure: undefined };
      this.#imports.set(key, entry);
      void this.#limit(() => this.#run(id, entry));
    }
  }

  /** Removes versions of projects; the cluster's own are never touched. */
  async drop(
    dropped: readonly { readonly name: string; readonly version: string }[],
  ): Promise<void> {
    for (const image of dropped.filter(({ name }) => isProjectImageFolder(name))) {
      const under = this.#imports.get(keyOf(image));
      // While its bytes come in they would be written anew; the next round finds it at rest.
      if (under !== undefined && under.failure === undefined) continue;
      this.#parts.logger.info(image, 'a deleted version of an image is removed');
      await this.#parts.shelf.remove(image.name, image.version);
      this.#imports.delete(keyOf(image));
    }
  }

  /** How what is not there yet stands. */
  states(): readonly ClusterImage[] {
    return Array.from(this.#imports.values(), ({ manifest, percent, failure }) => ({
      ...{ name: manifest.name, version: manifest.version, percent, hosts: [] },
      state: failure === undefined ? 'importing' : 'failed',
      message: failure?.message ?? null,
    }));
  }

  get isBusy(): boolean {
    return [...this.#imports.values()].some(({ failure }) => failure === undefined);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #run(imageId: string, entry: Import): Promise<void> {
    const { logger, clock, shelf } = this.#parts;
    const { manifest } = entry;
    try {
      await this.#fetch(imageId, entry);
      await shelf.publish(manifest);
      this.#imports.delete(keyOf(manifest));
      logger.info({ image: manifest.name, version: manifest.version }, 'an image was imported');
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      logger.warn({ err: error, image: manifest.name }, 'an image was not imported');
      const isFinal = error instanceof ImageRefusedError;
      const againAtMs = isFinal ? Number.POSITIVE_INFINITY : clock.monotonicMs() + RETRY_MS;
      entry.failure = { message: message.slice(0, MESSAGE_MAX), againAtMs };
    }
  }

  async #fetch(imageId: string, entry: Import): Promise<void> {
    const { shelf, fetchPart } = this.#parts;
    const { manifest } = entry;
    let haveBytes = await shelf.partialBytes(manifest);
    while (haveBytes < manifest.sizeBytes) {
      if (this.#isClosed) throw new Error('the cluster-server is closing');
      const bytes = await fetchPart(imageId, haveBytes);
      if (bytes.length === 0) throw new Error(`the content ends at ${haveBytes} bytes`);
      haveBytes = await shelf.writePartial(manifest, haveBytes, bytes);
      entry.percent = Math.min(99, Math.floor((haveBytes * 100) / manifest.sizeBytes));
    }
  }
}

/** A version's identity in a cluster. */
export function keyOf({
  name,
  version,
}: {
  readonly name: string;
  readonly version: string;
}): string {
  return `${name} ${version}`;
}
