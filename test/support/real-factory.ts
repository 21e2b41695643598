import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type Batch,
  type BatchRequest,
  PROBLEMS,
  type Vm,
  type Volume,
  type VolumeRequest,
} from '@factory/contracts';
import {
  createUndiciTransport,
  type HttpTransport,
  hasErrorCode,
  sleep,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { readConnection } from '../../cli/src/client/connection.ts';
import { FactoryClient } from '../../cli/src/client/factory-client.ts';
import { hostDirectory, type Layout, layoutOf } from '../../cli/src/supervisor/layout.ts';
import { isFree } from '../../cli/src/supervisor/ports.ts';
import { readRunState } from '../../cli/src/supervisor/run-state.ts';

const execFileAsync = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const COMMAND_TIMEOUT_MS = 900_000;

/** A real factory of a test's own: its own data directory, its own port. */
export interface RealFactory {
  readonly layout: Layout;
  readonly url: string;
  readonly client: FactoryClient;
  readonly transport: HttpTransport;
  /** Runs `./factory …` against it; gives standard output. Throws with both outputs when it fails. */
  run(...args: readonly string[]): Promise<string>;
  /** `down`, and everything of it deleted. */
  remove(): Promise<void>;
}

/** Brings a factory up as a user would: with the front door, in the background. */
export async function startRealFactory(...upArgs: readonly string[]): Promise<RealFactory> {
  const data = await mkdtemp(join(tmpdir(), 'factory-test-'));
  const layout = layoutOf(ROOT, data);
  const run = (...args: readonly string[]): Promise<string> =>
    runFactory([...args, '--data', data]);
  const transport = createUndiciTransport();
  const remove = async (): Promise<void> => {
    await transport.close();
    await run('down');
    await rm(data, { recursive: true, force: true });
  };
  try {
    await run('up', '--detach', '--port', String(await freePort()), ...upArgs);
    const connection = await readConnection(layout);
    const client = new FactoryClient({ clock: systemClock, transport, ...connection });
    return { layout, url: connection.url, client, transport, run, remove };
  } catch (error) {
    await showLogs(layout);
    await remove();
    throw error;
  }
}

/** Makes a volume; a factory that has come up just now may still wait for its cluster. */
export function makeVolume({ client }: RealFactory, request: VolumeRequest): Promise<Volume> {
  return waitFor(systemClock, 'a cluster for the volume', COMMAND_TIMEOUT_MS, () =>
    client.createVolume(request).catch((error: unknown) => {
      if (hasErrorCode(error, PROBLEMS.notReady.code)) return undefined;
      throw error;
    }),
  );
}

/** Asks for a batch; the cluster of a factory that has come up just now may tell of its images yet. */
export function makeBatch({ client }: RealFactory, request: BatchRequest): Promise<Batch> {
  return waitFor(systemClock, 'a cluster with the image', COMMAND_TIMEOUT_MS, () =>
    client.createBatch(request).catch((error: unknown) => {
      if (hasErrorCode(error, PROBLEMS.unknownImage.code)) return undefined;
      throw error;
    }),
  );
}

/** Runs the front door; throws with its output when it fails. */
export async function runFactory(args: readonly string[], cwd = ROOT): Promise<string> {
  const options = { cwd, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await execFileAsync(join(cwd, 'factory'), args, options);
  return stdout;
}

async function showLogs(layout: Layout): Promise<void> {
  const names = await readdir(layout.logs).catch(() => []);
  for (const name of names) {
    const text = await readFile(join(layout.logs, name), 'utf8');
    process.stderr.write(`--- ${name}\n${text.split('\n').slice(-12).join('\n')}\n`);
  }
}

/** It is taken long after it was found free: others begin to look elsewhere. */
async function freePort(): Promise<number> {
  const places = 92;
  for (let tried = 0; tried < places; tried += 1) {
    const port = 18_080 + 10 * ((process.pid + tried) % places);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port');
}

/** Whether the machine answers a ping of its subnet's gateway within `timeoutSeconds`. */
export async function pings({ layout }: RealFactory, vm: Vm, timeoutSeconds = 5): Promise<boolean> {
  const deadlineMs = systemClock.monotonicMs() + timeoutSeconds * 1000;
  // One by one: a single ping gives up for good when the host can't resolve the address yet.
  while (systemClock.monotonicMs() < deadlineMs) {
    for (const namespace of await namespacesOf(layout)) {
      if (await pingsOnce(namespace, vm)) return true;
    }
    await sleep(systemClock, 300);
  }
  return false;
}

async function pingsOnce(namespace: string, vm: Vm): Promise<boolean> {
  const ping = ['ping', '-c', '1', '-W', '1', vm.ipAddress ?? ''];
  const child = spawn('ip', ['netns', 'exec', namespace, ...ping], { stdio: 'ignore' });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.once('exit', (code) => resolve(code === 0));
  child.once('error', () => resolve(false));
  return promise;
}

/** The namespaces of this factory's subnets on this machine: the host itself reaches no guest. */
export async function namespacesOf({ instance }: Layout): Promise<readonly string[]> {
  const { stdout } = await execFileAsync('ip', ['-json', 'netns', 'list']);
  const all: readonly { readonly name: string }[] = stdout.trim() === '' ? [] : JSON.parse(stdout);
  return all.map(({ name }) => name).filter((name) => name.startsWith(`fct-${instance}-`));
}

/** Links, namespaces and nftables of this factory's subnets that are on this machine. */
export async function networkLeft(layout: Layout): Promise<readonly string[]> {
  const links = (await execFileAsync('ip', ['-details', 'link', 'show'])).stdout;
  const tables = (await execFileAsync('nft', ['list', 'tables'])).stdout;
  const ours = `${links}${tables}`.split('\n').filter((line) => line.includes(layout.instance));
  return [...ours, ...(await namespacesOf(layout))];
}

/** SIGKILL for a process of the supervisor's, by its name; gives the pid that it had. */
export async function killProcess(layout: Layout, name: string): Promise<number> {
  const state = await readRunState(layout);
  const identity = state?.processes.find((each) => each.name === name)?.identity;
  if (identity === undefined || identity === null) throw new Error(`${name} does not run`);
  process.kill(identity.pid, 'SIGKILL');
  return identity.pid;
}

/** Names of this factory's domains, as virsh sees them. */
export async function domainsOf(vms: readonly Vm[]): Promise<readonly string[]> {
  const { stdout } = await execFileAsync('virsh', ['list', '--all', '--name']);
  const ours = new Set(vms.map((vm) => `fct-${vm.id}`));
  return stdout.split('\n').filter((name) => ours.has(name));
}

/** What is left in the folders of disks and leases of all hosts. */
export async function filesLeft(layout: Layout): Promise<readonly string[]> {
  const host = hostDirectory(layout, 'cluster-1', 'cluster-1-agent-1');
  const folders = ['overlays', 'leases'].map((name) => join(host, name));
  const found = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file))),
  );
  return found.flat();
}

/** QEMU processes of these machines: pid and start time, so that a restart would show. */
export async function guestProcesses(vms: readonly Vm[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const command = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    const vm = vms.find(({ id }) => command.includes(`guest=fct-${id}`));
    if (
      vm === undefined ||
      (!command.startsWith('qemu-system') && !command.includes('/qemu-system'))
    )
      continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8');
    found.set(vm.id, `${entry}@${stat.slice(stat.lastIndexOf(')')).split(' ')[20]}`);
  }
  return found;
}
