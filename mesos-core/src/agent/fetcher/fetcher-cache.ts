import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { singleFlight } from '@factory/runtime';
import {
  addEntry,
  beginRead,
  type CacheLedger,
  emptyLedger,
  endRead,
  usedBytes,
} from './cache-ledger.ts';

/** Files that several tasks fetch, kept on the agent up to a size. */
export interface FetcherCache {
  /** What it holds now. */
  readonly usedBytes: number;
  /**
   * Gives `use` the path of the file for `key`, which stays while `use` runs. A file that is not
   * there is made by `fill` first, once for all who want it, and kept if there is room.
   * @param fill writes the file to a path; gives its size in bytes.
   */
  withFile<T>(
    key: string,
    fill: (path: string) => Promise<number>,
    use: (path: string) => Promise<T>,
  ): Promise<T>;
}

/**
 * A cache below `directory`, of at most `capacityBytes`. It begins empty: what an earlier agent left
 * is removed, as by Mesos.
 */
export function createFetcherCache(directory: string, capacityBytes: number): FetcherCache {
  return new FileFetcherCache(directory, capacityBytes);
}

class FileFetcherCache implements FetcherCache {
  readonly #directory: string;
  readonly #once = singleFlight<string>();
  readonly #paths = new Map<string, string>();
  #ledger: CacheLedger;
  #lastFile = 0;
  #ready: Promise<void> | undefined;

  constructor(directory: string, capacityBytes: number) {
    this.#directory = directory;
    this.#ledger = emptyLedger(capacityBytes);
  }

  get usedBytes(): number {
    return usedBytes(this.#ledger);
  }

  async withFile<T>(
    key: string,
    fill: (path: string) => Promise<number>,
    use: (path: string) => Promise<T>,
  ): Promise<T> {
    this.#ready ??= this.#prepare();
    await this.#ready;
    const cached = beginRead(this.#ledger, key);
    if (cached !== undefined) {
      this.#ledger = cached;
      return this.#using(key, use);
    }
    // Whoever waits for somebody else's download looks again: it may not have fitted.
    let isOwn = false;
    const path = await this.#once(key, async () => {
      isOwn = true;
      return this.#fill(key, fill);
    });
    if (!isOwn) return this.withFile(key, fill, use);
    if (this.#paths.get(key) === path) return this.#using(key, use);
    try {
      return await use(path);
    } finally {
      await rm(path, { force: true });
    }
  }

  async #prepare(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await mkdir(this.#directory, { recursive: true, mode: 0o755 });
  }

  /** Downloads; the entry, if there is room, has its first reader. */
  async #fill(key: string, fill: (path: string) => Promise<number>): Promise<string> {
    this.#lastFile += 1;
    const path = join(this.#directory, `file-${this.#lastFile}`);
    try {
      const added = addEntry(this.#ledger, key, await fill(path));
      if (added === undefined) return path;
      this.#ledger = added.ledger;
      this.#paths.set(key, path);
      for (const old of added.evicted) await this.#remove(old);
      return path;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async #using<T>(key: string, use: (path: string) => Promise<T>): Promise<T> {
    try {
      return await use(this.#paths.get(key) ?? '');
    } finally {
      this.#ledger = endRead(this.#ledger, key);
    }
  }

  async #remove(key: string): Promise<void> {
    const path = this.#paths.get(key);
    this.#paths.delete(key);
    if (path !== undefined) await rm(path, { force: true });
  }
}
