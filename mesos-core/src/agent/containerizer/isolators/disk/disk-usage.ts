import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, hasErrorCode, sleep } from '@factory/runtime';

/** stat(2) counts in these, whatever the block size of the file system. */
const STAT_BLOCK_BYTES = 512;

/** After so many entries others get their turn. */
const SLICE_ENTRIES = 256;
const PAUSE_MS = 1;

/** How a directory is measured. */
export interface DiskUsageOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Absolute paths that don't count, with all that is below. */
  readonly exclude?: ReadonlySet<string>;
}

/**
 * What a directory takes on its file system, in bytes, like `du -x`: a file with several links
 * counts once, and another file system that is mounted below not at all. Files that come and go
 * meanwhile are no error. `undefined` when it took longer than the timeout.
 */
export async function diskUsageBytes(
  directory: string,
  options: DiskUsageOptions,
): Promise<number | undefined> {
  const { clock, timeoutMs, exclude = new Set() } = options;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const linked = new Set<string>();
  const pending = [directory];
  let device: number | undefined;
  let entries = 0;
  let bytes = 0;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (exclude.has(path)) continue;
    const stat = await orGone(lstat(path));
    if (stat === undefined) continue;
    device ??= stat.dev;
    if (stat.dev !== device) continue;
    entries += 1;
    if (entries % SLICE_ENTRIES === 0) {
      if (clock.monotonicMs() > deadlineMs) return undefined;
      await sleep(clock, PAUSE_MS);
    }
    const id = `${stat.ino}`;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (linked.has(id)) continue;
      linked.add(id);
    }
    bytes += stat.blocks * STAT_BLOCK_BYTES;
    if (stat.isDirectory()) pending.push(...(await namesIn(path)).map((name) => join(path, name)));
  }
  return bytes;
}

async function namesIn(path: string): Promise<readonly string[]> {
  const names: string[] = [];
  const directory = await orGone(opendir(path));
  if (directory === undefined) return names;
  for await (const { name } of directory) names.push(name);
  return names;
}

async function orGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].some((code) => hasErrorCode(error, code))) return undefined;
    throw error;
  }
}
