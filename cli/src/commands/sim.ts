import { join } from 'node:path';
import { Command } from 'commander';
import { ROOT } from './context.ts';
import { integer } from './options.ts';
import { runScript } from './test.ts';

/** `./factory sim` */
export function simCommand(): Command {
  return new Command('sim')
    .description('run the whole chain on virtual time, with faults from a seed')
    .option('--seed <n>', 'first seed', integer(0), 1)
    .option('--runs <n>', 'number of seeds, counting up', integer(1), 1)
    .action(async ({ seed, runs }: { seed: number; runs: number }) => {
      const args = ['--seed', String(seed), '--runs', String(runs)];
      process.exitCode = await runScript(join(ROOT, 'test/simulation/main.ts'), args);
    });
}
