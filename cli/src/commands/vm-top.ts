import { Command } from 'commander';
import { formatHistory, formatUse, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';

interface TopOptions {
  readonly data?: string;
  readonly output: OutputFormat;
  readonly batch?: string;
}

const HISTORY_HELP = `
The machine's host remembers an hour, since its executor was started last.

Example:
  ./factory vm history farm-1 --output json`;

/** `./factory vm history` */
export function historyCommand(): Command {
  return new Command('history')
    .description('show what a machine used in the last hour, oldest first')
    .argument('<vm>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', HISTORY_HELP)
    .action(async (name: string, options: TopOptions) => {
      await withClient(options, async ({ client }) => {
        const vm = await client.findVm(name);
        const { samples } = await client.metricsHistory(vm.id);
        console.log(formatHistory(samples, options.output));
      });
    });
}

/** `./factory vm top` */
export function topCommand(): Command {
  return new Command('top')
    .description('show what machines use of cores, memory, disk and network; most cores first')
    .option('--batch <batch>', 'only those of this batch (name or id)')
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory vm top --batch farm')
    .action(async (options: TopOptions) => {
      await withClient(options, async ({ client }) => {
        const { batch, output } = options;
        const filter = batch === undefined ? {} : { batchId: (await client.findBatch(batch)).id };
        const names = new Map((await client.vms(filter)).map(({ id, name }) => [id, name]));
        const measured = (await client.metrics(filter)).map(({ vmId, latest }) => {
          return { vmId, name: names.get(vmId) ?? vmId, latest };
        });
        const cpuOf = ({ latest }: (typeof measured)[number]) => latest?.cpuPercent ?? -1;
        console.log(
          formatUse(
            measured.toSorted((a, b) => cpuOf(b) - cpuOf(a)),
            output,
          ),
        );
      });
    });
}
