import { execFile } from 'node:child_process';

const TIMEOUT_MS = 120_000;

/** What a program prints. @throws with what it says of its failure. */
export function output(program: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(program, args, { timeout: TIMEOUT_MS, encoding: 'utf8' }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || error.message}`));
  });
  return promise;
}
