import { execFile } from 'node:child_process';
import { constants, open as openDescriptor } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { type Clock, hasErrorCode, sleep, waitFor } from '@factory/runtime';
import type { AgentApiProcessIO, TTYInfo } from '../../protocol/index.ts';
import type { Container } from '../containerizer/containerizer.ts';

const openFile = promisify<string, number, number>(openDescriptor);
const run = promisify(execFile);

const POLL_INTERVAL_MS = 50;
const CHUNK_BYTES = 64 * 1024;
const HEARTBEAT_INTERVAL_MS = 30_000;
const OPEN_TIMEOUT_MS = 30_000;
const STTY_TIMEOUT_MS = 5000;

/**
 * What a container writes, from now (or from its beginning) to its end, with heartbeats while it is
 * silent. Ends early when `signal` aborts.
 */
export async function* containerOutput(
  clock: Clock,
  container: Container,
  options: { readonly fromStart: boolean; readonly signal: AbortSignal },
): AsyncGenerator<AgentApiProcessIO> {
  const { streams } = container;
  const tails = [
    await Tail.open(streams.stdout, 'STDOUT', options.fromStart),
    await Tail.open(streams.stderr, 'STDERR', options.fromStart),
  ];
  let hasEnded = false;
  void container.exited.then(() => {
    hasEnded = true;
  });
  let lastMs = clock.monotonicMs();
  // At once, so that who asked knows that it was understood.
  yield heartbeat();
  try {
    for (;;) {
      // Before the files are read: what was written until the end is in them.
      const isLast = hasEnded;
      for (const tail of tails) {
        for await (const data of tail.chunks()) {
          lastMs = clock.monotonicMs();
          yield { type: 'DATA', data: { type: tail.type, data: data.toString('base64') } };
        }
      }
      if (isLast || options.signal.aborted) return;
      if (clock.monotonicMs() - lastMs >= HEARTBEAT_INTERVAL_MS) {
        lastMs = clock.monotonicMs();
        yield heartbeat();
      }
      await sleep(clock, POLL_INTERVAL_MS, options.signal).catch(() => undefined);
    }
  } finally {
    for (const tail of tails) await tail.close();
  }
}

function heartbeat(): AgentApiProcessIO {
  const interval = { nanoseconds: HEARTBEAT_INTERVAL_MS * 1e6 };
  return { type: 'CONTROL', control: { type: 'HEARTBEAT', heartbeat: { interval } } };
}

class Tail {
  readonly type: 'STDOUT' | 'STDERR';
  readonly #file: Awaited<ReturnType<typeof open>>;
  #offset: number;

  private constructor(
    file: Awaited<ReturnType<typeof open>>,
    type: 'STDOUT' | 'STDERR',
    offset: number,
  ) {
    this.#file = file;
    this.type = type;
    this.#offset = offset;
  }

  static async open(path: string, type: 'STDOUT' | 'STDERR', fromStart: boolean): Promise<Tail> {
    const file = await open(path, 'r');
    return new Tail(file, type, fromStart ? 0 : (await file.stat()).size);
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK_BYTES, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Inputs of containers that wait for somebody to write; without a writer theirs would be empty. */
const heldInputs = new WeakMap<Container, Promise<Socket>>();

/** Keeps the input of a container open until {@link feedContainer} has come and gone. */
export function holdInput(clock: Clock, container: Container): void {
  const { stdin } = container.streams;
  if (stdin === undefined) return;
  const input = openInput(clock, stdin);
  heldInputs.set(container, input);
  const close = (): void =>
    void input.then(
      (pipe) => pipe.destroy(),
      () => undefined,
    );
  void container.exited.then(close);
}

/**
 * Gives a container what comes from somebody: data for its input, an empty one for its end, and the
 * size of its terminal. Resolves when the input has ended.
 */
export async function feedContainer(
  clock: Clock,
  container: Container,
  input: AsyncIterable<AgentApiProcessIO>,
): Promise<void> {
  const { stdin, tty } = container.streams;
  if (stdin === undefined) return;
  const pipe = await (heldInputs.get(container) ?? openInput(clock, stdin));
  heldInputs.delete(container);
  const failed = new Promise<'gone'>((resolve) => pipe.once('close', () => resolve('gone')));
  try {
    for await (const { type, data, control } of input) {
      if (type === 'DATA' && data?.type === 'STDIN') {
        const bytes = Buffer.from(data.data ?? '', 'base64');
        if (bytes.length === 0) return;
        const isFull = !pipe.write(bytes);
        const drained = new Promise<'drained'>((resolve) =>
          pipe.once('drain', () => resolve('drained')),
        );
        if (isFull && (await Promise.race([drained, failed])) === 'gone') return;
      } else if (control?.tty_info !== undefined && tty !== undefined) {
        await resizeTerminal(clock, tty, control.tty_info);
      }
    }
  } finally {
    pipe.end();
  }
}

/** There is nobody to write to before the container has opened its side. */
async function openInput(clock: Clock, path: string): Promise<Socket> {
  const fd = await waitFor(clock, 'the input of the container', OPEN_TIMEOUT_MS, async () => {
    try {
      return await openFile(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrorCode(error, 'ENXIO')) return undefined;
      throw error;
    }
  });
  const pipe = new Socket({ fd, readable: false, writable: true });
  // A container that ends does not read the rest.
  pipe.on('error', () => undefined);
  return pipe;
}

async function resizeTerminal(
  clock: Clock,
  file: string,
  { window_size: size }: TTYInfo,
): Promise<void> {
  if (size === undefined) return;
  // The container writes its name down when it begins.
  const name = await waitFor(clock, 'the terminal of the container', OPEN_TIMEOUT_MS, async () => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text.endsWith('\n') ? text.trim() : undefined;
  });
  const words = ['rows', size.rows, 'columns', size.columns].map(String);
  await run('stty', ['-F', name, ...words], { timeout: STTY_TIMEOUT_MS });
}
