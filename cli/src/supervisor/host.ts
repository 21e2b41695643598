import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { readTextIfExists, writeFileAtomic } from '@factory/runtime';
import type { Layout } from './layout.ts';

/**
 * The base image `micro`, built when it is missing or its sources changed.
 * @throws with the end of the build's output when it fails.
 */
export async function ensureMicroImage(
  layout: Layout,
  onProgress: (text: string) => void,
): Promise<void> {
  const sources = join(layout.root, 'images/micro');
  const stampFile = join(layout.images, '.micro-sources');
  const publishing = await readFile(join(sources, '../publish.sh'));
  const checksum = await checksumOf(sources, publishing);
  if ((await readTextIfExists(stampFile)) === checksum) return;
  onProgress('building the base image micro from Debian packages');
  mkdirSync(layout.images, { recursive: true });
  await run(join(sources, 'build.sh'), [layout.images], join(layout.logs, 'image-micro.log'));
  await writeFileAtomic(stampFile, checksum, { mode: 0o644 });
}

/**
 * An image for the simulated hypervisor, which never opens it: the manifest and an empty disk. Needs
 * no root and no Debian package.
 */
export async function ensureSimulatedImage(layout: Layout): Promise<void> {
  const folder = join(layout.images, 'micro');
  mkdirSync(folder, { recursive: true });
  if ((await readdir(folder)).some((name) => name.endsWith('.json'))) return;
  const version = createHash('sha256').digest('hex');
  await writeFileAtomic(join(folder, `${version}.qcow2`), '', { mode: 0o644 });
  const manifest: ImageManifest = {
    ...{ name: 'micro', version, format: 'qcow2', sizeBytes: 0, virtualSizeBytes: 1024 ** 3 },
    ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 96, minDiskGiB: 1 },
    // Any real version is newer.
    createdAtMs: 0,
    readyMarker: 'FACTORY-READY',
  };
  const path = join(folder, `${version}.json`);
  await writeFileAtomic(path, JSON.stringify(manifest), { mode: 0o644 });
}

async function checksumOf(directory: string, shared: Uint8Array): Promise<string> {
  const hash = createHash('sha256').update(shared);
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.md'));
  for (const file of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(file.slice(directory.length)).update(await readFile(file));
  }
  return hash.digest('hex');
}

/**
 * Runs a program to its end, output to `logFile`.
 * @throws with the end of the log when it fails.
 */
export async function run(
  program: string,
  args: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  mkdirSync(join(logFile, '..'), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, { stdio: ['ignore', log, log], env });
  closeSync(log);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('exit', resolve);
  child.once('error', reject);
  const status = await promise;
  if (status === 0) return;
  const tail = (await readTextIfExists(logFile))?.split('\n').slice(-15).join('\n') ?? '';
  throw new Error(`${program} failed (status ${status}). The end of ${logFile}:\n${tail}`);
}
