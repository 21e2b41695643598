import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join, normalize, posix } from 'node:path';
import { promisify } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { hasErrorCode } from '@factory/runtime';
import { ImageError } from './image.ts';
import { type TarEntry, tarEntries } from './tar-entries.ts';

const run = promisify(execFile);
const EXTRACT_TIMEOUT_MS = 30 * 60_000;

/** What a layer may at most hold. */
export interface LayerLimits {
  readonly bytesMax: number;
  readonly entriesMax: number;
}

/** Bounds that no sensible image comes near. */
export const LAYER_LIMITS: LayerLimits = { bytesMax: 64 * 1024 ** 3, entriesMax: 2_000_000 };

/** OCI image-spec, layer.md: a file of this name removes another one of the layers below. */
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** What a layer adds and takes away; paths are relative, without `.` and `..`. */
export interface LayerContent {
  readonly whiteouts: readonly string[];
  /** Directories that hide all that is below them in lower layers. */
  readonly opaque: readonly string[];
}

/**
 * Looks through a layer before anything of it is written. Pure but for the reading.
 * @throws ImageError when it would write outside of its directory, or is too large.
 */
export async function inspectLayer(
  entries: AsyncIterable<TarEntry>,
  limits: LayerLimits = LAYER_LIMITS,
): Promise<LayerContent> {
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  let bytes = 0;
  let count = 0;
  for await (const entry of entries) {
    bytes += entry.sizeBytes;
    count += 1;
    if (bytes > limits.bytesMax || count > limits.entriesMax) {
      throw new ImageError(
        `the layer has more than ${limits.bytesMax} bytes or ${limits.entriesMax} files`,
      );
    }
    const path = insidePath(entry.path);
    if (entry.type === '1') insidePath(entry.linkTarget);
    const name = basename(path);
    if (name === OPAQUE) opaque.push(dirname(path));
    else if (name.startsWith(WHITEOUT)) {
      whiteouts.push(insidePath(join(dirname(path), name.slice(WHITEOUT.length))));
    }
  }
  return { whiteouts, opaque };
}

function insidePath(path: string): string {
  const relative = posix.normalize(path.replace(/^\/+/, ''));
  if (relative === '..' || relative.startsWith('../') || path.split('/').includes('..')) {
    throw new ImageError(`the layer holds ${JSON.stringify(path)}, which leads out of it`);
  }
  return relative;
}

/** The chunks of a tar file, unpacked if need be (gzip and zstd are known by their first bytes). */
export async function unpacked(file: string): Promise<AsyncIterable<Uint8Array>> {
  const start = Buffer.alloc(4);
  const handle = await open(file);
  try {
    await handle.read(start, 0, 4, 0);
  } finally {
    await handle.close();
  }
  const stream = createReadStream(file);
  if (start.readUInt16BE(0) === 0x1f8b) return stream.pipe(createGunzip());
  if (start.readUInt32LE(0) === 0xfd2fb528) return stream.pipe(createZstdDecompress());
  return stream;
}

/**
 * Extracts a layer into an empty directory. What it removes from lower layers becomes what
 * overlayfs takes for that: character devices 0/0.
 * @param lower the layers below, the lowest first.
 * @throws ImageError when the layer is refused.
 */
export async function extractLayer(
  file: string,
  directory: string,
  lower: readonly string[],
): Promise<void> {
  const content = await inspectLayer(tarEntries(await unpacked(file)));
  await mkdir(directory, { recursive: true, mode: 0o755 });
  // Into an empty directory: tar itself delays links that lead out until everything is there.
  const options = ['--numeric-owner', '--preserve-permissions', '--delay-directory-restore'];
  const names = ['--exclude=.wh.*', '--exclude=./dev/*', '--exclude=dev/*'];
  await run('tar', ['-x', '-f', file, '-C', directory, ...options, ...names], {
    timeout: EXTRACT_TIMEOUT_MS,
    maxBuffer: 1024 * 1024,
  });
  const hidden = await Promise.all(content.opaque.map((each) => hiddenBy(each, directory, lower)));
  await hide(directory, [...content.whiteouts, ...hidden.flat()]);
}

/** What lower layers have in a directory that this layer begins anew. */
async function hiddenBy(
  path: string,
  directory: string,
  lower: readonly string[],
): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const layer of lower) for (const name of await namesIn(join(layer, path))) names.add(name);
  for (const name of await namesIn(join(directory, path))) names.delete(name);
  return [...names].map((name) => join(path, name));
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function hide(directory: string, paths: readonly string[]): Promise<void> {
  const root = await realpath(directory);
  for (const path of paths) {
    const parent = join(root, dirname(path));
    await mkdir(parent, { recursive: true });
    if ((await realpath(parent)) !== normalize(parent)) {
      throw new ImageError(`the layer removes ${path}, which is behind a link`);
    }
    await run('mknod', [join(parent, basename(path)), 'c', '0', '0']);
  }
}

/** Whether a file of a layer stands for one that was removed. */
export async function isWhiteout(path: string): Promise<boolean> {
  const stat = await lstat(path);
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** Lays layers over each other by copying, for kernels without overlayfs. */
export async function copyLayers(layers: readonly string[], directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const layer of layers) {
    const { stdout } = await run('find', [layer, '-type', 'c', '-printf', '%P\\0'], {
      maxBuffer: 64 * 1024 * 1024,
    });
    const devices = stdout.split('\0').filter((each) => each !== '');
    const removed: string[] = [];
    for (const each of devices) if (await isWhiteout(join(layer, each))) removed.push(each);
    for (const each of removed) await removeInside(directory, each);
    await run('cp', ['-a', `${layer}/.`, directory], { timeout: EXTRACT_TIMEOUT_MS });
    for (const each of removed) await removeInside(directory, each);
  }
}

async function removeInside(directory: string, path: string): Promise<void> {
  const root = await realpath(directory);
  const parent = await realpath(join(root, dirname(path))).catch(() => undefined);
  if (parent === undefined || !`${parent}/`.startsWith(`${root}/`)) return;
  await rm(join(parent, basename(path)), { recursive: true, force: true });
}
