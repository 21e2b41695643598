import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, systemClock } from '@factory/runtime';

/** Real time, fifty times as fast: for waits on real processes. */
export const hurriedClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs() * 50,
  after: (delayMs, callback) => systemClock.after(delayMs / 50, callback),
};

/** A process of our own that does nothing, and may be deaf to SIGTERM; resolves when it is up. */
export async function idleProcess(
  isDeaf = false,
): Promise<ChildProcess & { readonly pid: number }> {
  const deaf = isDeaf ? "process.on('SIGTERM', () => {});" : '';
  const script = `${deaf} setInterval(() => {}, 1000); console.log('up')`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const { promise, resolve } = Promise.withResolvers<void>();
  child.stdout.once('data', () => resolve());
  await promise;
  const { pid } = child;
  if (pid === undefined) throw new Error('the process did not start');
  return Object.assign(child, { pid });
}

/** How the process ended. */
export async function endOf(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode !== null || child.signalCode !== null)
    return child.signalCode ?? child.exitCode;
  const { promise, resolve } = Promise.withResolvers<string | number | null>();
  child.once('exit', (code, signal) => resolve(signal ?? code));
  return promise;
}
