import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  hasErrorCode,
  identifyProcess,
  isSameProcessAlive,
  readTextIfExists,
  waitFor,
} from '@factory/runtime';
import { output } from './output.ts';

/**
 * glusterd refuses loopback addresses and keeps its bricks' addresses for ever, and whoever reaches its
 * ports reads and writes all. So one machine's GlusterFS has a network namespace for itself, with this
 * address (of TEST-NET-1, RFC 5737), which nothing outside can reach and nothing outside changes.
 */
export const GLUSTER_ADDRESS = '192.0.2.1';
const VOLUME = 'factory';
const START_TIMEOUT_MS = 60_000;
const OPTIONS_FILE = join(import.meta.dirname, '../../../deploy/gluster/volume-options.txt');

/** Where a GlusterFS of one machine keeps its things, and what it is called. */
export interface GlusterPlace {
  /** Its state, logs, brick and process ids are below it. */
  readonly directory: string;
  /** Of the network namespace; nobody else's on this machine. */
  readonly namespace: string;
  /** Where its volume is mounted. */
  readonly mountPoint: string;
  readonly clock: Clock;
}

/**
 * A GlusterFS volume of one brick, mounted by FUSE: glusterd, its brick and the client of the mount are
 * started where they don't run. Needs root.
 * @throws with what did not come up and where its log is.
 */
export async function startGluster(place: GlusterPlace): Promise<void> {
  const { directory, mountPoint } = place;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // The brick's mode is that of the mount's top: QEMU's user passes there.
  for (const name of ['state', 'run', 'logs', 'brick']) {
    await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
  }
  await mkdir(mountPoint, { recursive: true }).catch((error: unknown) => {
    // A mount whose client has died: it is taken away below.
    if (!hasErrorCode(error, 'ENOTCONN') && !hasErrorCode(error, 'EEXIST')) throw error;
  });
  await ensureNamespace(place.namespace);
  await ensureDaemon(place);
  await ensureVolume(place);
  await mountGluster(place);
}

/** Mounts the volume, where no client serves the mount point. */
export async function mountGluster(place: GlusterPlace): Promise<void> {
  const { directory, namespace, mountPoint, clock } = place;
  if ((await clientPid(place)) !== undefined && (await isMounted(mountPoint))) return;
  await unmount(mountPoint);
  await output('nsenter', [
    `--net=/run/netns/${namespace}`,
    'glusterfs',
    '--process-name=fuse',
    `--volfile-server=${GLUSTER_ADDRESS}`,
    `--volfile-id=/${VOLUME}`,
    `--log-file=${join(directory, 'logs/client.log')}`,
    '--log-level=WARNING',
    `--pid-file=${clientPidFile(place)}`,
    '--fuse-mountopts=nosuid,nodev',
    mountPoint,
  ]);
  const what = `the mount of ${mountPoint} (its log: ${join(directory, 'logs/client.log')})`;
  await waitFor(clock, what, START_TIMEOUT_MS, async () =>
    (await isMounted(mountPoint)) ? true : undefined,
  );
}

/** Takes the mount away and ends every process of it; what lies in the brick stays. */
export async function stopGluster(place: GlusterPlace): Promise<void> {
  const { namespace, mountPoint, clock } = place;
  await unmount(mountPoint);
  const pids = await pidsIn(namespace);
  // One that was stopped (SIGSTOP) would not see a polite signal; the brick's files need none.
  for (const pid of pids) signal(pid, 'SIGTERM');
  for (const pid of pids) signal(pid, 'SIGCONT');
  await waitFor(clock, 'the end of GlusterFS', START_TIMEOUT_MS, async () =>
    (await pidsIn(namespace)).length === 0 ? true : undefined,
  ).catch(async () => {
    for (const pid of await pidsIn(namespace)) signal(pid, 'SIGKILL');
  });
  await output('ip', ['netns', 'delete', namespace]).catch(() => undefined);
}

/** The process that serves the mount; undefined when there is none. */
export async function clientPid(place: GlusterPlace): Promise<number | undefined> {
  const pid = Number(await readTextIfExists(clientPidFile(place)));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const isOurs = (await pidsIn(place.namespace)).includes(pid);
  return isOurs ? pid : undefined;
}

/** Runs `gluster` on it: `volume`, `info`. @throws with what it says. */
export async function gluster(place: GlusterPlace, ...args: readonly string[]): Promise<string> {
  const pid = await daemonPid(place);
  if (pid === undefined) throw new Error(`glusterd does not run in ${place.directory}`);
  return output('nsenter', [
    `--target=${pid}`,
    '--mount',
    '--net',
    'gluster',
    '--mode=script',
    ...args,
  ]);
}

async function ensureNamespace(namespace: string): Promise<void> {
  const names = await output('ip', ['netns', 'list']);
  if (names.split('\n').some((line) => line.split(' ')[0] === namespace)) return;
  await output('ip', ['netns', 'add', namespace]);
  await output('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  await output('ip', ['-n', namespace, 'address', 'add', `${GLUSTER_ADDRESS}/32`, 'dev', 'lo']);
}

/**
 * glusterd has its folders compiled in: it sees ours in their places. By `/run/glusterd.socket` two on
 * one machine would find each other instead.
 */
const INNER = `set -e
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/gluster /var/lib/glusterd /var/log/glusterfs
mount --bind "$1/run" /run/gluster
mount --bind "$1/state" /var/lib/glusterd
mount --bind "$1/logs" /var/log/glusterfs
exec glusterd --no-daemon --log-level=WARNING --pid-file="$1/glusterd.pid"`;

async function ensureDaemon(place: GlusterPlace): Promise<void> {
  const { directory, namespace, clock } = place;
  if ((await daemonPid(place)) === undefined) {
    const log = openSync(join(directory, 'logs/start.log'), 'a', 0o600);
    const args = ['netns', 'exec', namespace, 'sh', '-c', INNER, 'sh', directory];
    const child = spawn('ip', args, { stdio: ['ignore', log, log], detached: true });
    child.on('error', () => undefined);
    child.unref();
    closeSync(log);
  }
  const what = `glusterd (its logs: ${join(directory, 'logs')})`;
  await waitFor(clock, what, START_TIMEOUT_MS, () =>
    gluster(place, 'volume', 'list').then(
      () => true as const,
      () => undefined,
    ),
  );
}

async function ensureVolume(place: GlusterPlace): Promise<void> {
  const volumes = (await gluster(place, 'volume', 'list')).split('\n');
  if (!volumes.includes(VOLUME)) {
    const brick = `${GLUSTER_ADDRESS}:${join(place.directory, 'brick')}`;
    // `force`: the brick may lie on the root file system.
    await gluster(place, 'volume', 'create', VOLUME, 'transport', 'tcp', brick, 'force');
  }
  const options = await readFile(OPTIONS_FILE, 'utf8');
  const pairs = options.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  await gluster(place, 'volume', 'set', VOLUME, ...pairs.flatMap((line) => line.split(' ')));
  const info = await gluster(place, 'volume', 'info', VOLUME);
  if (!info.includes('Status: Started')) await gluster(place, 'volume', 'start', VOLUME);
  await waitFor(place.clock, 'the brick', START_TIMEOUT_MS, async () => {
    const status = await gluster(place, 'volume', 'status', VOLUME).catch(() => '');
    // Name, TCP port, RDMA port, online, pid.
    return /\s\d+\s+0\s+Y\s+\d+/.test(status) ? true : undefined;
  });
}

function clientPidFile({ directory }: GlusterPlace): string {
  return join(directory, 'client.pid');
}

async function daemonPid({ directory, namespace }: GlusterPlace): Promise<number | undefined> {
  const pid = Number(await readTextIfExists(join(directory, 'glusterd.pid')));
  const identity = Number.isInteger(pid) && pid > 0 ? await identifyProcess(pid) : undefined;
  if (identity === undefined || !(await isSameProcessAlive(identity))) return undefined;
  return (await pidsIn(namespace)).includes(pid) ? pid : undefined;
}

async function pidsIn(namespace: string): Promise<readonly number[]> {
  const text = await output('ip', ['netns', 'pids', namespace]).catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

async function isMounted(mountPoint: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts.split('\n').some((line) => {
    const [, at, type] = line.split(' ');
    return at === mountPoint && type === 'fuse.glusterfs';
  });
}

/** Also one that hangs: whoever has files open on it keeps them until it closes them. */
async function unmount(mountPoint: string): Promise<void> {
  while (await isMounted(mountPoint)) await output('umount', ['--lazy', mountPoint]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}
