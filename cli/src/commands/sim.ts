import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ROOT } from './context.ts';
import { integer } from './options.ts';
import { runScript } from './test.ts';

const EXAMPLE = `
Example:
  ./factory sim --agents 20 --vms 400 --failure-rate 0.01`;

/** `./factory sim` */
export function simCommand(): Command {
  return new Command('sim')
    .description('run the whole chain on virtual time, with faults from a seed')
    .option('--seed <n>', 'first seed', integer(0), 1)
    .option('--runs <n>', 'number of seeds, counting up', integer(1), 1)
    .option('--agents <n>', 'simulated hosts', integer(1), 50)
    .option('--vms <n>', 'machines, at most 22 a host', integer(1), 1_000)
    .option(
      '--failure-rate <part>',
      'of all calls of hypervisors, networks and storages, this part fails; 0.01 is one in a hundred',
      part,
      0,
    )
    .addHelpText('after', EXAMPLE)
    .action(async (given: Record<string, number>) => {
      const args = Object.entries(given).flatMap(([name, value]) => [
        `--${dashed(name)}`,
        `${value}`,
      ]);
      process.exitCode = await runScript(join(ROOT, 'test/simulation/main.ts'), args);
    });
}

function part(text: string): number {
  const value = Number(text);
  if (text !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
