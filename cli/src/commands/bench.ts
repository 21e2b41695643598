import { join } from 'node:path';
import { Command } from 'commander';
import { ROOT } from './context.ts';
import { dataOption, integer } from './options.ts';
import { runScript } from './test.ts';

/** `./factory bench NAME`: each runs `test/bench/NAME.ts` with its options as flags. */
export function benchCommand(): Command {
  const command = new Command('bench').description('measure; each figure is shown with its limit');
  const bench = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .option('--json', 'print JSON')
      .action(async (options: Readonly<Record<string, string | number | boolean>>) => {
        const script = join(ROOT, `test/bench/${name}.ts`);
        process.exitCode = await runScript(script, flagsOf(options));
      });
  bench('vm-create', 'batch API against bare libvirt: the time until all machines run')
    .option('--count <n>', 'machines', integer(1), 20)
    .option('--rounds <n>', 'alternating rounds of each', integer(1), 3)
    .addOption(dataOption());
  bench('allocator', 'cycles of the Mesos allocator, in slices, on clusters in memory').option(
    '--rounds <n>',
    'of each cycle; the best counts',
    integer(1),
    2,
  );
  bench('master', 'a Mesos master under load: launches, state reads, failover, refusals')
    .option('--agents <n>', 'simulated agents, of ten tasks each', integer(1), 1_000)
    .option('--frameworks <n>', 'frameworks that refuse everything', integer(1), 200);
  bench('tasks', 'command tasks on one Mesos agent, from the first offer to the last end').option(
    '--count <n>',
    'tasks',
    integer(1),
    1_000,
  );
  bench('api', 'the control plane: lists, the gateway, a batch of 10,000 on simulated hosts')
    .option('--only <parts>', 'of gateway,batch,lists')
    .option('--vms <n>', 'machines of the batch', integer(1), 10_000)
    .option('--agents <n>', 'simulated hosts of the batch', integer(1), 4)
    .option('--rows <n>', 'machines that lists are of', integer(1), 100_000);
  return command;
}

function flagsOf(options: Readonly<Record<string, string | number | boolean>>): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
}
