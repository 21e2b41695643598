import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureMicroImage } from '../../cli/src/supervisor/host.ts';
import { layoutOf } from '../../cli/src/supervisor/layout.ts';

const ROOT = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 400_000;

/** How a run has ended, and what it printed. */
export interface TwoHostsRun {
  readonly isDone: boolean;
  readonly output: string;
}

/** Runs a script of this folder in a network namespace that vanishes with it; needs root. */
export async function runTwoHosts(script: string): Promise<TwoHostsRun> {
  const layout = layoutOf(ROOT, join(ROOT, '.factory-test'));
  await mkdir(layout.logs, { recursive: true });
  // Here: in the namespace there is nowhere to fetch packages from.
  await ensureMicroImage(layout, () => undefined);
  const { promise, resolve } = Promise.withResolvers<TwoHostsRun>();
  const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
  const argv = ['--net', ...node, join(import.meta.dirname, script), layout.images];
  // Six processes of the factory start in it: what one has compiled, the others need not.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(layout.data, 'compile-cache') };
  execFile('unshare', argv, { timeout: TIMEOUT_MS, env }, (error, stdout, stderr) =>
    resolve({ isDone: error === null, output: stdout + stderr }),
  );
  return promise;
}
