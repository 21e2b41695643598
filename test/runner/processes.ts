import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, systemClock, type Timer, waitFor } from '@factory/runtime';

const ROOT = join(import.meta.dirname, '../..');
/** Carried by every process that a run has started, whoever its parent is now. */
const MARK = { name: 'FACTORY_TEST_RUN', value: randomUUID() };
/** For a process to end by itself, once it has been asked to or its parent has gone. */
const GRACE_MS = 10_000;
/** For the last output of a process that has ended; one that it left behind may hold the pipe. */
const LAST_OUTPUT_MS = 1_000;
/** The exit code of what ran into its limit, as timeout(1) has it. */
const TIMED_OUT = 124;

export interface RunOptions {
  readonly limitMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly write: (text: string) => void;
}

/**
 * Runs a program in the checkout; gives its exit code, or {@link TIMED_OUT} after `limitMs`. Its
 * output goes through us, never straight to where ours goes: a process that it leaves behind would
 * keep that open, and whoever reads it would wait for ever.
 */
export async function run(
  program: string,
  args: readonly string[],
  { limitMs, env = {}, write }: RunOptions,
): Promise<number> {
  const colours = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: process.stdout.isTTY ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, ...colours, [MARK.name]: MARK.value },
  });
  child.stdout?.setEncoding('utf8').on('data', write);
  child.stderr?.setEncoding('utf8').on('data', write);
  const closed = once(child, 'close');
  const code = await exitOf(child, limitMs, write);
  await Promise.race([closed, sleep(systemClock, LAST_OUTPUT_MS)]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return code;
}

async function exitOf(
  child: ChildProcess,
  limitMs: number,
  write: RunOptions['write'],
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let isOver = false;
  child.once('error', reject);
  child.once('exit', (code) => resolve(isOver ? TIMED_OUT : (code ?? 1)));
  const limit = systemClock.after(limitMs, () => {
    isOver = true;
    write(`\nnot done after ${Math.round(limitMs / 1000)} s, and ended\n`);
    child.kill('SIGTERM');
    forced = systemClock.after(GRACE_MS, () => child.kill('SIGKILL'));
  });
  let forced: Timer | undefined;
  try {
    return await promise;
  } finally {
    limit.cancel();
    forced?.cancel();
  }
}

/** Ends what runs of ours have left behind and what doesn't end by itself; tells of it. */
export async function endLeftBehind(write: RunOptions['write'], graceMs = GRACE_MS): Promise<void> {
  const areGone = async (): Promise<true | undefined> =>
    (await marked()).length === 0 ? true : undefined;
  await waitFor(systemClock, 'the end of all processes', graceMs, areGone).catch(() => undefined);
  for (const { pid, command } of await marked()) {
    write(`left behind, ended now: ${pid} ${command}\n`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself in the meantime.
    }
  }
}

async function marked(): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const found: { readonly pid: number; readonly command: string }[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string): Promise<string> =>
      readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const environment = (await read('environ')).split('\0');
    if (!environment.includes(`${MARK.name}=${MARK.value}`)) continue;
    found.push({ pid: Number(pid), command: (await read('cmdline')).replaceAll('\0', ' ').trim() });
  }
  return found;
}
