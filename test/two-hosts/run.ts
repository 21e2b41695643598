import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureMicroImage } from '../../cli/src/supervisor/host.ts';
import { layoutOf } from '../../cli/src/supervisor/layout.ts';

const ROOT = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 400_000;

/** Runs main.ts in a network namespace that vanishes with it; needs root. Gives what it printed. */
export async function runTwoHosts(data = join(ROOT, '.factory-test')): Promise<string> {
  const layout = layoutOf(ROOT, data);
  await mkdir(layout.logs, { recursive: true });
  // Here: in the namespace there is nowhere to fetch packages from.
  await ensureMicroImage(layout, () => undefined);
  const { promise, resolve } = Promise.withResolvers<string>();
  const script = [join(import.meta.dirname, 'main.ts'), layout.images];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...script];
  execFile('unshare', ['--net', ...node], { timeout: TIMEOUT_MS }, (_error, stdout, stderr) =>
    resolve(stdout + stderr),
  );
  return promise;
}
