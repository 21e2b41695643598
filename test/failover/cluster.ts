import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpTransport, systemClock, waitFor } from '@factory/runtime';
import {
  type RealZooKeeper,
  startRealZooKeeper,
} from '../../mesos-core/src/zookeeper/testing/real-zookeeper.ts';
import { createHost, createHub, type Host, HUB_ADDRESS, removeHost } from './network.ts';

const MAIN = (part: string) => join(import.meta.dirname, `../../mesos-core/src/${part}/main.ts`);
const ZOOKEEPER_PORT = 2181;
const MASTER_PORT = 5050;
const AGENT_PORT = 5051;
const START_TIMEOUT_MS = 60_000;

/** Where the masters elect the one that leads. */
export const ZOOKEEPER_URL = `zk://${HUB_ADDRESS}:${ZOOKEEPER_PORT}/mesos`;

/** How a process ended, and when. */
export interface Exit {
  readonly code: number | null;
  readonly atMs: number;
}

/** A master on a host of its own. */
export interface MasterProcess {
  readonly host: Host;
  readonly origin: string;
  readonly exited: Promise<Exit>;
}

/** ZooKeeper, masters and agents, each a process. */
export class Cluster {
  readonly masters = new Map<string, MasterProcess>();
  readonly #transport: HttpTransport;
  readonly #directory: string;
  readonly #zooKeeper: RealZooKeeper;
  readonly #hosts: Host[] = [];
  readonly #children = new Set<ChildProcess>();

  static async start(
    transport: HttpTransport,
    counts: { readonly masters: number; readonly agents: number },
  ): Promise<Cluster> {
    await createHub();
    const zooKeeper = await startRealZooKeeper({ host: HUB_ADDRESS, port: ZOOKEEPER_PORT });
    const cluster = new Cluster(transport, zooKeeper, await mkdtemp(join(tmpdir(), 'failover-')));
    try {
      for (let index = 1; index <= counts.masters; index += 1) {
        const host = await createHost(index);
        cluster.#hosts.push(host);
        await cluster.startMaster(host);
      }
      for (let index = 0; index < counts.agents; index += 1) cluster.#startAgent(index);
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  private constructor(transport: HttpTransport, zooKeeper: RealZooKeeper, directory: string) {
    this.#transport = transport;
    this.#directory = directory;
    this.#zooKeeper = zooKeeper;
  }

  /** Starts a master on a host where none runs; it listens when this resolves. */
  async startMaster(host: Host): Promise<void> {
    const origin = `http://${host.address}:${MASTER_PORT}`;
    const child = this.#start(host.name, host.prefix, MAIN('master'), [
      ...[`--zk=${ZOOKEEPER_URL}`, `--ip=${host.address}`, `--port=${MASTER_PORT}`],
      `--work_dir=${join(this.#directory, host.name)}`,
    ]);
    const exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code) => resolve({ code, atMs: systemClock.monotonicMs() }));
    });
    this.masters.set(origin, { host, origin, exited });
    await waitFor(systemClock, `${host.name} to listen`, START_TIMEOUT_MS, async () => {
      const request = { method: 'GET', url: `${origin}/health`, timeoutMs: 1000 } as const;
      const response = await this.#transport.request(request).catch(() => undefined);
      return response?.status === 200 ? true : undefined;
    });
  }

  /** Drops all packets between a master and ZooKeeper. */
  cutZooKeeper(master: MasterProcess): Promise<void> {
    return master.host.cut(ZOOKEEPER_PORT);
  }

  /** What all executors have written. */
  async executorOutput(): Promise<string> {
    const all = await readdir(this.#directory, { recursive: true });
    const files = all.filter((name) => name.endsWith('/stdout') && !name.includes('/latest/'));
    const texts = files.map((name) => readFile(join(this.#directory, name), 'utf8'));
    return (await Promise.all(texts)).join('');
  }

  /** Ends everything. Executors too: they lose their agent, and are in this process' group. */
  async remove(): Promise<void> {
    const output = await this.executorOutput().catch(() => '');
    for (const [, pid] of output.matchAll(/tiny executor (\d+) in/g)) endProcess(Number(pid));
    for (const child of this.#children) child.kill('SIGKILL');
    for (const host of this.#hosts) await removeHost(host);
    await this.#zooKeeper.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #startAgent(index: number): void {
    const name = `agent-${index}`;
    this.#start(name, [], MAIN('agent'), [
      ...[`--master=${ZOOKEEPER_URL}`, `--ip=${HUB_ADDRESS}`, `--port=${AGENT_PORT + index}`],
      ...[`--hostname=${name}`, `--work_dir=${join(this.#directory, name)}`],
      '--resources=cpus:100;mem:100000;disk:100000',
    ]);
  }

  #start(
    name: string,
    prefix: readonly string[],
    main: string,
    flags: readonly string[],
  ): ChildProcess {
    const level = process.env.FACTORY_LOG_LEVEL ?? 'fatal';
    const [program = '', ...args] = [...prefix, process.execPath, main, ...flags];
    const child = spawn(program, args, {
      env: { ...process.env, FACTORY_LOG_LEVEL: level },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', (error) => console.log(`  ${name} could not be started: ${error.message}`));
    child.once('exit', () => this.#children.delete(child));
    this.#children.add(child);
    return child;
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
