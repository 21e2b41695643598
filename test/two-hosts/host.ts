import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, waitFor } from '@factory/runtime';
import { answers } from '../../cli/src/supervisor/libvirt-daemons.ts';
import { OWN_LIBVIRT_FOLDERS } from '../../services/vm-executor/test/own-libvirt.ts';

const execFileAsync = promisify(execFile);
const START_TIMEOUT_MS = 60_000;
/** The bridge that the hosts are plugged into, with this process' own address. */
const HUB = 'hub';
export const HUB_ADDRESS = '10.77.0.1';
/** An address of the world outside, beyond the network that hosts and control plane are in. */
export const WORLD_ADDRESS = '203.0.113.1';

/** A host on this machine: network and mounts of its own, with its own libvirtd. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Its files. */
  readonly folder: string;
  /** Starts a program on it, which ends with the host; what it says is in `<what>.log`. */
  spawn(what: string, argv: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess;
  /** Runs a program on it to its end. Gives what it prints. */
  run(...argv: readonly [string, ...string[]]): Promise<string>;
  /** As `run`, in a network namespace of this machine instead of its own. */
  runIn(namespace: string, ...argv: readonly [string, ...string[]]): Promise<string>;
  /** Halts its libvirtd, which accepts calls from then on and answers none. */
  haltLibvirt(): Promise<void>;
  /** Lets it go on. */
  resumeLibvirt(): void;
  close(): Promise<void>;
}

/** Makes the network between hosts. This process must be in a network namespace of its own. */
export async function openHub(): Promise<void> {
  for (const command of [
    'link set lo up',
    `link add ${HUB} type bridge`,
    `addr add ${HUB_ADDRESS}/24 dev ${HUB}`,
    `addr add ${WORLD_ADDRESS}/32 dev lo`,
    `link set ${HUB} up`,
  ]) {
    await execFileAsync('ip', command.split(' '));
  }
}

/** Makes a host, whose `index` is from 1, with libvirtd answering; needs root. */
export async function openHost(index: number, directory: string): Promise<Host> {
  const name = `host-${index}`;
  const address = `10.77.0.${10 + index}`;
  const folder = join(directory, name);
  await mkdir(folder, { recursive: true });
  // All its processes are killed with the first one.
  const own = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child'];
  const holder = spawn('unshare', [...own, '--mount-proc', 'sh', '-c', HOLD, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('exit', () => reject(new Error(`${name} can not be made: not root?`)));
  });
  const pid = await childOf(holder);
  const enter = ['-t', pid, '--net', '--mount', '--pid', '--'];
  let libvirtd: ChildProcess | undefined;
  const host: Host = {
    ...{ name, address, folder },
    spawn(what, argv, env = process.env) {
      const log = openSync(join(folder, `${what}.log`), 'a');
      const child = spawn('nsenter', [...enter, ...argv], { stdio: ['ignore', log, log], env });
      closeSync(log);
      return child;
    },
    async run(program, ...more) {
      return (await execFileAsync('nsenter', [...enter, program, ...more])).stdout;
    },
    async runIn(namespace, program, ...more) {
      const there = ['-t', pid, '--mount', '--pid', `--net=/run/netns/${namespace}`, '--'];
      return (await execFileAsync('nsenter', [...there, program, ...more])).stdout;
    },
    async haltLibvirt() {
      await host.run('sh', '-c', `kill -STOP $(cat ${folder}/libvirtd.pid)`);
    },
    resumeLibvirt() {
      // nsenter halts itself with its child, and when it is continued continues that, too.
      libvirtd?.kill('SIGCONT');
    },
    async close() {
      const ended = new Promise((resolve) => holder.once('exit', resolve));
      holder.stdin.end();
      await ended;
    },
  };
  await plugIn(host, index, pid);
  await startLibvirt(host, 'virtlogd', 'virtlogd-sock');
  libvirtd = await startLibvirt(host, 'libvirtd', 'libvirt-sock');
  return host;
}

async function plugIn(host: Host, index: number, pid: string): Promise<void> {
  const peer = `peer name eth0 netns ${pid}`;
  await execFileAsync('ip', `link add port${index} type veth ${peer}`.split(' '));
  await execFileAsync('ip', `link set port${index} master ${HUB} up`.split(' '));
  await host.run('ip', 'addr', 'add', `${host.address}/24`, 'dev', 'eth0');
  await host.run('ip', 'link', 'set', 'eth0', 'up');
  await host.run('ip', 'route', 'add', 'default', 'via', HUB_ADDRESS);
}

async function startLibvirt(host: Host, daemon: string, socket: string): Promise<ChildProcess> {
  const child = host.spawn(daemon, [daemon, '--pid-file', join(host.folder, `${daemon}.pid`)]);
  const path = join(host.folder, 'run', socket);
  const isUp = async () => ((await answers(path)) ? true : undefined);
  await waitFor(systemClock, `${daemon} of ${host.name}`, START_TIMEOUT_MS, isUp);
  return child;
}

/** The process that `unshare --fork` has made. */
async function childOf({ pid }: ChildProcess): Promise<string> {
  return await waitFor(systemClock, 'the host', START_TIMEOUT_MS, async () => {
    const found = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
    return found === '' ? undefined : found;
  });
}

/**
 * What a host has of its own: names of namespaces, what is gone with its restart, and all folders of
 * libvirt. Ends with its standard input, which is this process'. The shell stays, and waits for
 * processes that have lost their parents: libvirt takes a guest for alive while nobody has.
 */
const HOLD = `set -e
folder=$1
mkdir -p /run/netns /run/factory
mount -t tmpfs none /run/netns
mount -t tmpfs none /run/factory
${OWN_LIBVIRT_FOLDERS}
ip link set lo up
echo ready
cat
true`;
