import type { UsageRow } from '@factory/contracts';
import { Command, Option } from 'commander';
import { UsageClient } from '../client/usage-client.ts';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';

const EXAMPLES = `
Examples:
  ./factory usage                                    this month, in all
  ./factory usage --by day,cluster --from 2026-07-01
  ./factory usage --cluster idc-1 --by day           what is credited to a cluster of yours
  ./factory usage --records > july.csv               every interval, by the second`;

interface UsageOptions {
  readonly data?: string;
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
  readonly cluster?: string;
  readonly organisation?: boolean;
  readonly records?: boolean;
  readonly output: 'table' | 'json';
}

/** `./factory usage` */
export function usageCommand(): Command {
  return new Command('usage')
    .description('what machines used, by the second, and in sums')
    .option('--from <time>', 'a full hour or a day (default: the first of this month, UTC)')
    .option('--to <time>', 'a full hour or a day (default: now)')
    .option('--by <groups>', 'hour or day, project, cluster; with commas')
    .option('--cluster <name>', 'what is credited to a cluster, for its owner')
    .option('--organisation', 'of all projects of the organisation, for its admins')
    .option('--records', 'every interval, as CSV')
    .addOption(
      new Option('-o, --output <format>', 'how to print it')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action((options: UsageOptions) =>
      withClient(options, async ({ client, clock }) => {
        const usage = new UsageClient(client);
        const { by: groupBy, from: begin, to: end, ...others } = options;
        const to = end === undefined ? {} : { to: toTime(end) };
        const from = begin === undefined ? monthOf(clock.nowMs()) : toTime(begin);
        if (options.records === true) {
          for await (const text of usage.records({ from, ...to })) process.stdout.write(text);
          return;
        }
        const groups = groupBy === undefined ? {} : { groupBy };
        const found = await usage.get({ ...others, ...groups, ...to, from });
        if (options.output === 'json') return console.log(JSON.stringify(found, null, 2));
        for (const line of usageLines(found.items)) console.log(line);
      }),
    );
}

function toTime(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

function monthOf(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 7)}-01T00:00:00Z`;
}

/** A table for people. Pure. */
function usageLines(items: readonly UsageRow[]): readonly string[] {
  const head = ['CORE-HOURS', 'MEMORY GiB-HOURS', 'DISK GiB-HOURS', 'MACHINE-HOURS', 'OF'];
  const rows = items.map((row) => [
    ...[row.coreHours, row.memoryGiBHours, row.diskGiBHours, row.machineHours].map((each) =>
      each.toFixed(2),
    ),
    [row.from, row.projectId, row.cluster ?? row.clusterId].filter(Boolean).join('  '),
  ]);
  const widths = head.map((_, at) =>
    Math.max(...[head, ...rows].map((row) => (row[at] ?? '').length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) => (at < 4 ? cell.padStart(widths[at] ?? 0) : cell))
      .join('  ')
      .trimEnd(),
  );
}
