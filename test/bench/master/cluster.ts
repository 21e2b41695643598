import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, type HttpResponse, systemClock, waitFor } from '@factory/runtime';
import type { AgentsArguments } from './agents.ts';

const ROOT = join(import.meta.dirname, '../../..');
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 20_000;
const SUBSCRIBE_TIMEOUT_MS = 120_000;
const TIMEOUT_MS = 30_000;
/** The state of 10,000 agents with 100,000 tasks is some 100 MB. */
const RESPONSE_BYTES_MAX = 512 * 1024 * 1024;
const decoder = new TextDecoder();
const NODE = ['--disable-warning=ExperimentalWarning'];
/** Kernel clock ticks a second, as /proc counts CPU time. */
const TICKS_PER_SECOND = 100;

/** A master in a process of its own, with processes of simulated agents around it. */
export class LoadCluster {
  readonly host = HOST;
  readonly port: number;
  readonly #directory: string;
  readonly #transport = createUndiciTransport({ maxResponseBytes: RESPONSE_BYTES_MAX });
  #master: ChildProcess | undefined;
  readonly #agents: { process: ChildProcess; subscribed: number; count: number }[] = [];

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** An empty work directory and a free port; nothing runs yet. */
  static async create(): Promise<LoadCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'bench-master-'));
    const server = createServer().listen(0, HOST);
    await once(server, 'listening');
    const address = server.address();
    server.close();
    if (address === null || typeof address === 'string') throw new Error('no free port');
    return new LoadCluster(directory, address.port);
  }

  get(path: string): Promise<HttpResponse> {
    return this.#transport.request({ method: 'GET', url: this.#url(path), timeoutMs: TIMEOUT_MS });
  }

  /** One call of the operator API. */
  call(type: 'GET_STATE'): Promise<HttpResponse> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    return this.#transport.request({
      ...{ method: 'POST', url: this.#url('/api/v1'), headers, timeoutMs: TIMEOUT_MS },
      body: JSON.stringify({ type }),
    });
  }

  /** Starts the master, with more flags than it needs. */
  async startMaster(...more: readonly string[]): Promise<void> {
    const script = join(ROOT, 'mesos-core/bin/mesos-core.ts');
    const flags = [
      'master',
      `--port=${this.port}`,
      `--work_dir=${join(this.#directory, 'master')}`,
      ...more,
    ];
    const log = await open(join(this.#directory, 'master.log'), 'a');
    this.#master = spawn(process.execPath, [...NODE, script, ...flags], {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, FACTORY_LOG_LEVEL: 'error' },
    });
    await log.close();
    await waitFor(systemClock, 'the master', START_TIMEOUT_MS, () => this.#isUp(), 10);
  }

  /** SIGKILL. */
  async killMaster(): Promise<void> {
    const master = this.#master;
    if (master === undefined) return;
    const exited = once(master, 'exit');
    master.kill('SIGKILL');
    await exited;
  }

  /** Starts so many simulated agents in one more process, and waits until all have subscribed. */
  async startAgents(count: number, resources: string): Promise<void> {
    const prefix = `host-${this.#agents.length}`;
    const args: AgentsArguments = {
      ...{ count, prefix, resources },
      master: { host: HOST, port: this.port },
    };
    const script = join(import.meta.dirname, 'agents.ts');
    const child = fork(script, [JSON.stringify(args)], { execArgv: NODE });
    const entry = { process: child, subscribed: 0, count };
    child.on('message', (message) => {
      entry.subscribed = Number(Object(message).subscribed);
    });
    this.#agents.push(entry);
    await this.allSubscribed();
  }

  /** Resolves when every agent is subscribed. */
  async allSubscribed(): Promise<void> {
    await waitFor(
      systemClock,
      'all agents to subscribe',
      SUBSCRIBE_TIMEOUT_MS,
      () => (this.#agents.every((each) => each.subscribed === each.count) ? true : undefined),
      5,
    );
  }

  /** CPU seconds that the master has used since it was started. */
  async masterCpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#master?.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory of the master, and the most it ever was. */
  async masterMemoryMiB(): Promise<{ readonly now: number; readonly peak: number }> {
    const status = await readFile(`/proc/${this.#master?.pid}/status`, 'latin1');
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return { now: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 };
  }

  /** The longest pause of the master's event loop since the last call, in milliseconds. */
  async longestPauseMs(): Promise<number> {
    const { body } = await this.get('/metrics');
    const text = decoder.decode(body);
    const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1];
    return Number(seconds) * 1000;
  }

  async snapshot(): Promise<Readonly<Record<string, number>>> {
    const { body } = await this.get('/metrics/snapshot');
    const values: Record<string, number> = {};
    for (const [name, value] of Object.entries(Object(JSON.parse(decoder.decode(body))))) {
      values[name] = Number(value);
    }
    return values;
  }

  async close(): Promise<void> {
    for (const { process: child } of this.#agents) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await this.killMaster();
    await this.#transport.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #url(path: string): string {
    return `http://${HOST}:${this.port}${path}`;
  }

  async #isUp(): Promise<true | undefined> {
    try {
      return (await this.get('/health')).status === 200 ? true : undefined;
    } catch {
      return undefined;
    }
  }
}
