import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, systemClock, waitFor } from '@factory/runtime';

const ROOT = join(import.meta.dirname, '../..');
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;
const QUIET = ['--disable-warning=ExperimentalWarning'];

/** A master and an agent as processes of their own, in folders that are removed at the end. */
export class MesosCluster {
  readonly host = HOST;
  readonly port: number;
  readonly directory: string;
  readonly #transport = createUndiciTransport();
  readonly #processes: ChildProcess[] = [];

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  /** A master that is ready. */
  static async start(): Promise<MesosCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'mesos-cluster-'));
    const cluster = new MesosCluster(directory, await freePort());
    const flags = [`--port=${cluster.port}`, `--work_dir=${join(directory, 'master')}`];
    await cluster.#run(join(ROOT, 'mesos-core/src/master/main.ts'), 'master.log', flags);
    await cluster.#answers(cluster.port, '/health');
    return cluster;
  }

  /** An agent that is subscribed; `script` is its main.ts. */
  async startAgent(
    flags: readonly string[],
    options: {
      readonly script?: string;
      readonly workDir?: string;
      /** A program that becomes the agent: it gets the agent's command line as arguments. */
      readonly wrapper?: readonly string[];
    } = {},
  ): Promise<ChildProcess> {
    const { workDir = join(this.directory, 'agent') } = options;
    const { script = join(ROOT, 'mesos-core/src/agent/main.ts') } = options;
    const port = await freePort();
    const all = [
      ...[`--master=${HOST}:${this.port}`, `--port=${port}`, `--work_dir=${workDir}`, ...flags],
    ];
    const agent = await this.#run(script, 'agent.log', all, options.wrapper);
    await this.#answers(port, '/health/ready');
    return agent;
  }

  async close(): Promise<void> {
    for (const child of this.#processes.toReversed()) await stop(child);
    await this.#transport.close();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  async #run(
    script: string,
    logName: string,
    flags: readonly string[],
    wrapper: readonly string[] = [],
  ): Promise<ChildProcess> {
    const [program = '', ...args] = [...wrapper, process.execPath, ...QUIET, script, ...flags];
    const log = await open(join(this.directory, logName), 'a');
    const child = spawn(program, args, {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, FACTORY_LOG_LEVEL: 'warn' },
    });
    await log.close();
    this.#processes.push(child);
    return child;
  }

  async #answers(port: number, path: string): Promise<void> {
    const url = `http://${HOST}:${port}${path}`;
    await waitFor(systemClock, url, START_TIMEOUT_MS, async () => {
      try {
        const answer = await this.#transport.request({ method: 'GET', url, timeoutMs: 2_000 });
        return answer.status === 200 ? true : undefined;
      } catch {
        return undefined;
      }
    });
  }
}

/** Ends a process as an operator does, and waits for its end. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
