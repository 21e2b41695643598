import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { ROOT } from './context.ts';

/** `./factory test` */
export function testCommand(): Command {
  return new Command('test')
    .description('run all checks and tests; the last line is "N passed, N failed"')
    .argument('[filter...]', 'only tests whose path contains one of these words')
    .option('--acceptance', 'also the long acceptance runs')
    .option('--quick', 'only what needs no root, no libvirt and no Redis')
    .action(async (filters: string[], options: { acceptance?: true; quick?: true }) => {
      const flags = Object.keys(options).map((name) => `--${name}`);
      const script = join(ROOT, 'test/run.ts');
      process.exitCode = await runScript(script, [...flags, ...filters]);
    });
}

/** Runs a script of ours with this Node, its output ours; gives its exit code. */
export function runScript(script: string, args: readonly string[]): Promise<number> {
  const node = ['--disable-warning=ExperimentalWarning', script, ...args];
  const child = spawn(process.execPath, node, { cwd: ROOT, stdio: 'inherit' });
  // Ctrl-C reaches the child too: it cleans up, and its exit code tells.
  process.on('SIGINT', () => undefined);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('exit', (code) => resolve(code ?? 1));
  child.once('error', reject);
  return promise;
}
