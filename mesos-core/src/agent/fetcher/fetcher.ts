import {
  chmod,
  chown,
  constants,
  copyFile,
  lstat,
  mkdir,
  open,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock, HttpTransport } from '@factory/runtime';
import type { CommandInfoURI } from '../../protocol/index.ts';
import { extractArchive } from './archive.ts';
import { type DownloadLimits, download, verifySha256 } from './download.ts';
import { FetchError } from './fetch-error.ts';
import { createFetcherCache, type FetcherCache } from './fetcher-cache.ts';
import { copyAs, type Owner } from './tools.ts';
import { type FetchItem, readUri } from './uri.ts';

/** What is to be in a sandbox before its command begins. */
export interface FetchRequest {
  readonly containerId: string;
  /** The sandbox; made when missing. */
  readonly directory: string;
  readonly uris: readonly CommandInfoURI[];
  readonly owner: Owner | undefined;
}

/** Brings files into sandboxes. */
export interface Fetcher {
  /**
   * Resolves when all URIs are in the sandbox, unpacked where they should be.
   * @throws FetchError `Failed to fetch all URIs for container '…': …`
   */
  fetch(request: FetchRequest): Promise<void>;
  /** What has been fetched so far, for whole sandboxes, and what the cache holds. */
  figures(): FetcherFigures;
}

export interface FetcherFigures {
  readonly succeeded: number;
  readonly failed: number;
  readonly cacheBytesMax: number;
  readonly cacheBytesUsed: number;
}

/** How a fetcher behaves. */
export interface FetcherOptions extends DownloadLimits {
  readonly clock: Clock;
  readonly transport: HttpTransport;
  /** Where relative URIs start. */
  readonly frameworksHome: string | undefined;
  readonly cacheDirectory: string;
  readonly cacheBytesMax: number;
}

/** The fetcher of an agent that has none. */
export const noFetcher: Fetcher = {
  fetch: async () => {
    throw new FetchError('this agent does not fetch files');
  },
  figures: () => ({ succeeded: 0, failed: 0, cacheBytesMax: 0, cacheBytesUsed: 0 }),
};

/** A fetcher for one agent. */
export function createFetcher(options: FetcherOptions): Fetcher {
  const cache = createFetcherCache(options.cacheDirectory, options.cacheBytesMax);
  let [succeeded, failed] = [0, 0];
  const { cacheBytesMax } = options;
  return {
    figures: () => ({ succeeded, failed, cacheBytesMax, cacheBytesUsed: cache.usedBytes }),
    async fetch(request) {
      try {
        await prepareSandbox(request);
        const items = request.uris.map((uri) => readUri(uri, options.frameworksHome));
        for (const item of items) await fetchItem(options, cache, request, item);
        await removeOutputLinks(request);
        succeeded += 1;
      } catch (cause) {
        failed += 1;
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `Failed to fetch all URIs for container '${request.containerId}': ${why}`;
        await tell(request, message);
        throw new FetchError(message, { cause });
      }
    },
  };
}

async function prepareSandbox({ directory, owner }: FetchRequest): Promise<void> {
  await mkdir(dirname(directory), { recursive: true, mode: 0o755 });
  await mkdir(directory, { recursive: true, mode: 0o750 });
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
}

async function fetchItem(
  options: FetcherOptions,
  cache: FetcherCache,
  request: FetchRequest,
  item: FetchItem,
): Promise<void> {
  const { directory, owner } = request;
  const { timeoutMs } = options;
  // Beside the sandbox: what an archive left in there can't divert it, and a file there is whole.
  const staged = `${directory}.fetching`;
  try {
    if (item.isCached) {
      // Whoever may not read a file must not get it out of the cache either.
      const key = JSON.stringify([owner?.uid ?? null, item.uri]);
      const fill = (path: string): Promise<number> => obtain(options, item, path, owner);
      await cache.withFile(key, fill, (path) => copyFile(path, staged));
    } else {
      await obtain(options, item, staged, owner);
    }
    await chmod(staged, item.isExecutable ? 0o755 : 0o644);
    if (owner !== undefined) await chown(staged, owner.uid, owner.gid);
    const target = await targetOf(request, item);
    await rename(staged, target);
    await tell(request, `Fetched '${item.uri}' to '${target}'`);
    if (item.archive === undefined) return;
    await extractArchive(target, item.archive, directory, { timeoutMs, owner });
    await tell(request, `Extracted '${target}' into '${directory}'`);
  } finally {
    await rm(staged, { force: true });
  }
}

/** Brings the bytes to `path`, checked; gives how many they are. */
async function obtain(
  options: FetcherOptions,
  item: FetchItem,
  path: string,
  owner: Owner | undefined,
): Promise<number> {
  const { clock, transport } = options;
  if (item.source.kind === 'http') {
    await download(clock, transport, item.source.url, path, options);
  } else {
    await copyAs(owner, item.source.path, path, options.timeoutMs);
  }
  if (item.sha256 !== undefined) await verifySha256(path, item.uri, item.sha256);
  return (await stat(path)).size;
}

/**
 * Where the file goes, its folders made.
 * @throws FetchError when a link in the sandbox leads out of it there.
 */
async function targetOf({ directory, owner }: FetchRequest, item: FetchItem): Promise<string> {
  const sandbox = await realpath(directory);
  let parent = sandbox;
  for (const name of dirname(item.outputFile).split('/')) {
    parent = join(parent, name);
    const isNew = (await mkdir(parent, { recursive: true, mode: 0o755 })) !== undefined;
    if (isNew && owner !== undefined) await chown(parent, owner.uid, owner.gid);
    parent = await realpath(parent);
    if (parent !== sandbox && !parent.startsWith(`${sandbox}/`)) {
      throw new FetchError(`'${item.outputFile}' is behind a link that leads out of the sandbox`);
    }
  }
  return join(parent, basename(item.outputFile));
}

/** Notes in the sandbox what happens, where Mesos' fetcher writes its log too. */
async function tell({ directory, owner }: FetchRequest, line: string): Promise<void> {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  try {
    const flags = O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY;
    const file = await open(join(directory, 'stderr'), flags, 0o640);
    try {
      await file.write(`${line}\n`);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    } finally {
      await file.close();
    }
  } catch {
    // A log line that can't be written must not cost the task its life; the failure itself is told.
  }
}

/** Output files are opened by the agent: an archive must not have made links of them. */
async function removeOutputLinks({ directory }: FetchRequest): Promise<void> {
  for (const name of ['stdout', 'stderr']) {
    const path = join(directory, name);
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && !found.isFile()) await rm(path, { recursive: true, force: true });
  }
}
