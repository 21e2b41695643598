import { execFile } from 'node:child_process';
import { join } from 'node:path';

const TIMEOUT_PER_ROUND_MS = 120_000;

/**
 * Runs the rounds of main.ts in a network namespace that vanishes with them; needs root and Debian's
 * `zookeeper`. `code` is 0 when everything held.
 */
export function runFailover(
  rounds: number,
): Promise<{ readonly code: number; readonly output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; output: string }>();
  const main = [join(import.meta.dirname, 'main.ts'), `--rounds=${rounds}`];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...main];
  // Killed when it takes too long: it then has no time to clean up, so the limit is generous.
  const options = { timeout: TIMEOUT_PER_ROUND_MS * (rounds + 1) };
  execFile('unshare', ['--net', ...node], options, (error, stdout, stderr) => {
    const failed = typeof error?.code === 'number' ? error.code : 1;
    resolve({ code: error === null ? 0 : failed, output: stdout + stderr });
  });
  return promise;
}
