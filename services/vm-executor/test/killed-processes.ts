import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Work } from './crash-work.ts';

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));
const AHEAD = 2;

/**
 * Processes that carry out work on files until they are killed in it. To start one takes longer than
 * all that it does: one that lives takes the next work, and the next ones are started meanwhile.
 */
export class KilledProcesses {
  readonly #root: string;
  readonly #idle: ChildProcess[] = [];
  readonly #started = new Set<ChildProcess>();
  readonly #starting: Promise<ChildProcess>[] = [];
  #hosts = 0;

  private constructor(root: string) {
    this.#root = root;
    for (let index = 0; index < AHEAD; index += 1) this.#starting.push(this.#start());
  }

  /** With the image that the machines of all hosts are made of. */
  static async create(): Promise<KilledProcesses> {
    const root = await mkdtemp(join(tmpdir(), 'factory-crash-'));
    const [raw, image] = [join(root, 'micro.raw'), join(root, 'micro.qcow2')];
    await writeFile(raw, Buffer.alloc(1 << 20, 'micro'));
    await promisify(execFile)('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
    return new KilledProcesses(root);
  }

  /** The folder of a host of its own: empty, or as another one was left. */
  async host(like?: string): Promise<string> {
    this.#hosts += 1;
    const hostDir = join(this.#root, `host-${this.#hosts}`);
    if (like === undefined) await mkdir(hostDir);
    else await cp(like, hostDir, { recursive: true });
    return hostDir;
  }

  /** A process that has never seen this host works on it; without a point, to the end. */
  async run(
    hostDir: string,
    procedure: string,
    { killAt = '', isOn = false }: Partial<Work> = {},
  ): Promise<'SIGKILL' | 'done'> {
    const child = this.#idle.pop() ?? (await this.#take());
    const { promise, resolve } = Promise.withResolvers<string>();
    const onDone = (): void => resolve('done');
    const onExit = (code: number | null, signal: string | null): void =>
      resolve(signal ?? `${code}`);
    child.once('message', onDone).once('exit', onExit);
    child.send({ hostDir, procedure, killAt, isOn } satisfies Work);
    const end = await promise;
    child.off('message', onDone).off('exit', onExit);
    if (end === 'done') this.#idle.push(child);
    else this.#started.delete(child);
    if (end === 'done' || end === 'SIGKILL') return end;
    throw new Error(`${procedure} ended with ${end}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#starting);
    await Promise.all(
      [...this.#started].map((child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        return exited;
      }),
    );
    await rm(this.#root, { recursive: true });
  }

  #take(): Promise<ChildProcess> {
    this.#starting.push(this.#start());
    return this.#starting.shift() ?? this.#start();
  }

  async #start(): Promise<ChildProcess> {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(this.#root, 'compiled') };
    const child = fork(CHILD, [], { env, execArgv: [] });
    this.#started.add(child);
    await once(child, 'message');
    return child;
  }
}
