import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpTransport, systemClock, waitFor } from '@factory/runtime';
import { freePort } from '../../testing/free-ports.ts';

const MAIN = join(import.meta.dirname, '../main.ts');

/** SIGSTOP is what a machine that hangs looks like, SIGCONT its coming back. */
type MasterSignal = 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

/** A master of its own process on loopback. */
export interface MasterProcess {
  readonly origin: string;
  readonly port: number;
  /** Resolves with the exit code; `null` when a signal ended it. */
  readonly exited: Promise<number | null>;
  kill(signal: MasterSignal): void;
}

/** Masters that a test starts, each a process with a work directory of its own. */
export class MasterProcesses {
  readonly #transport: HttpTransport;
  readonly #directory: string;
  readonly #children: ChildProcess[] = [];

  static async open(transport: HttpTransport): Promise<MasterProcesses> {
    return new MasterProcesses(transport, await mkdtemp(join(tmpdir(), 'mesos-masters-')));
  }

  private constructor(transport: HttpTransport, directory: string) {
    this.#transport = transport;
    this.#directory = directory;
  }

  /** Starts a master; it need not listen yet when this resolves. */
  async start(
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly flags?: readonly string[];
      /** Default `http`; the environment then has what TLS needs. */
      readonly scheme?: 'http' | 'https';
    } = {},
  ): Promise<MasterProcess> {
    const { env = {}, flags = [], scheme = 'http' } = options;
    const port = await freePort();
    const own = [`--port=${port}`, `--work_dir=${join(this.#directory, String(port))}`];
    const child = spawn(process.execPath, [MAIN, ...own, ...flags], {
      env: { ...process.env, FACTORY_LOG_LEVEL: 'fatal', ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#children.push(child);
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const kill = (signal: MasterSignal) => void child.kill(signal);
    return { origin: `${scheme}://127.0.0.1:${port}`, port, exited, kill };
  }

  /** Makes an operator's call (default GET_MASTER) until it is answered with `status`. */
  async answer(
    origin: string,
    status: number,
    options: { readonly body?: string; readonly timeoutMs?: number } = {},
  ): Promise<{ readonly location: string | undefined; readonly text: string }> {
    const { body = '{"type":"GET_MASTER"}', timeoutMs = 30_000 } = options;
    const what = `${origin} to answer ${status}`;
    return waitFor(systemClock, what, timeoutMs, async () => {
      const response = await this.#transport
        .request({
          ...{ method: 'POST', url: `${origin}/api/v1`, timeoutMs: 2000, body },
          headers: { 'content-type': 'application/json', accept: 'application/json' },
        })
        .catch(() => undefined);
      if (response?.status !== status) return undefined;
      const { location } = response.headers;
      return { location, text: Buffer.from(response.body).toString() };
    });
  }

  /** Ends all that still run and removes what they have written. */
  async close(): Promise<void> {
    await Promise.all(this.#children.map(end));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
