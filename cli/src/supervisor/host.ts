import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { type Clock, readTextIfExists, waitFor, writeFileAtomic } from '@factory/runtime';
import { grantKvmAccess } from './kvm-access.ts';
import type { Layout } from './layout.ts';

export const LIBVIRT_SOCKET = '/run/libvirt/libvirt-sock';
const VIRTLOGD_SOCKET = '/run/libvirt/virtlogd-sock';
const DAEMON_START_TIMEOUT_MS = 20_000;

/** A daemon that was not running and is now ours to end. */
export interface OwnedDaemon {
  readonly name: string;
  readonly pid: number;
}

/**
 * libvirtd and virtlogd, started if nobody (systemd, another factory) runs them.
 * @throws when one does not come up, with where to look.
 */
export async function ensureLibvirt(layout: Layout, clock: Clock): Promise<readonly OwnedDaemon[]> {
  const daemons = [
    { name: 'virtlogd', socket: VIRTLOGD_SOCKET },
    { name: 'libvirtd', socket: LIBVIRT_SOCKET },
  ];
  const owned: OwnedDaemon[] = [];
  await grantKvmAccess();
  for (const { name, socket } of daemons) {
    if (await answers(socket)) continue;
    const logFile = join(layout.logs, `${name}.log`);
    const child = startDaemon(name, logFile);
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`${name} can not be started; is it installed?`, { cause: error });
    });
    const isUp = async () => ((await answers(socket)) ? true : undefined);
    const what = `${name} (its log: ${logFile})`;
    await Promise.race([waitFor(clock, what, DAEMON_START_TIMEOUT_MS, isUp), failed]);
    if (child.pid !== undefined) owned.push({ name, pid: child.pid });
  }
  return owned;
}

function startDaemon(name: string, logFile: string): ChildProcess {
  mkdirSync('/run/libvirt', { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(name, [], { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.unref();
  return child;
}

/** Whether somebody listens on the unix socket. */
export function answers(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket);
  connection.once('connect', () => {
    connection.destroy();
    resolve(true);
  });
  connection.once('error', () => resolve(false));
  return promise;
}

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
