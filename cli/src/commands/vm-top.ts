import { Command } from 'commander';
import { formatUse, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';

interface TopOptions {
  readonly data?: string;
  readonly output: OutputFormat;
  readonly batch?: string;
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
