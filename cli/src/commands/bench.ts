import { join } from 'node:path';
import { Command } from 'commander';
import { ROOT } from './context.ts';
import { dataOption, integer } from './options.ts';
import { runScript } from './test.ts';

/** `./factory bench NAME` */
export function benchCommand(): Command {
  const command = new Command('bench').description(
    'measure; every figure is a ratio inside one run',
  );
  command
    .command('vm-create')
    .description('batch API against bare libvirt: the time until all machines run')
    .option('--count <n>', 'machines', integer(1), 20)
    .option('--rounds <n>', 'alternating rounds of each', integer(1), 3)
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action(async (options: Record<string, string | number | boolean>) => {
      const flags = Object.entries(options).flatMap(([name, value]) =>
        value === true ? [`--${name}`] : [`--${name}`, String(value)],
      );
      process.exitCode = await runScript(join(ROOT, 'test/bench/vm-create.ts'), flags);
    });
  return command;
}
