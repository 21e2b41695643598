import { QUOTA_LIMITS, type Quota, type QuotaLimits, QuotaSchema } from '@factory/contracts';
import { Command } from 'commander';
import { Compile } from 'typebox/compile';
import { stringify } from 'yaml';
import type { FactoryClient } from '../client/factory-client.ts';
import { formatList, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, integer, outputOption } from './options.ts';

const quotaAnswer = Compile(QuotaSchema);

const EXAMPLES = `
Examples:
  ./factory quota
  ./factory quota set --vms 200 --vcpus 800
  ./factory quota set --organisation --vcpus 5000`;

interface ShowOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

/** `./factory quota` */
export function quotaCommand(): Command {
  return new Command('quota')
    .description('what the project and its organisation may have, and have')
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .addCommand(setCommand())
    .action(async (options: ShowOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(format(await read(client), options.output));
      });
    });
}

type SetOptions = QuotaLimits & { readonly data?: string; readonly organisation?: true };

function setCommand(): Command {
  const command = new Command('set').description(
    'replace the limits of the project; what is left out is unlimited',
  );
  for (const limit of QUOTA_LIMITS) command.option(`${flagOf(limit)} <n>`, limit, integer(0));
  return command
    .option('--organisation', "the organisation's limits instead of the project's")
    .addOption(dataOption())
    .action(async (options: SetOptions) => {
      const limits = Object.fromEntries(
        QUOTA_LIMITS.flatMap((limit) => {
          const value = options[limit];
          return value === undefined ? [] : [[limit, value]];
        }),
      );
      await withClient(options, async ({ client }) => {
        const { project, organisation } = await read(client);
        const whose =
          options.organisation === true
            ? `organisations/${organisation.id}`
            : `projects/${project.id}`;
        await client.call('PUT', `/v1/quota/${whose}`, () => undefined, limits);
        console.log('the limits are set');
      });
    });
}

/** `--memoryMiB`: named as in the API, so that nobody asks in which unit. */
function flagOf(limit: string): string {
  return `--${limit}`;
}

function read(client: FactoryClient): Promise<Quota> {
  return client.call('GET', '/v1/quota', (value) => quotaAnswer.Parse(value));
}

function format(quota: Quota, output: OutputFormat): string {
  if (output === 'json') return JSON.stringify(quota, null, 2);
  if (output === 'yaml') return stringify(quota).trimEnd();
  const { project, organisation } = quota;
  const rows = QUOTA_LIMITS.map((limit) => ({
    name: limit,
    used: String(project.used[limit]),
    limit: String(project.limits[limit] ?? '-'),
    all: String(organisation.used[limit]),
    most: String(organisation.limits[limit] ?? '-'),
  }));
  type Line = (typeof rows)[number];
  const columns = [
    { head: 'LIMIT', cell: (line: Line) => line.name },
    { head: 'USED', cell: (line: Line) => line.used },
    { head: 'MAX', cell: (line: Line) => line.limit },
    { head: 'ORGANISATION', cell: (line: Line) => line.all },
    { head: 'MAX', cell: (line: Line) => line.most },
  ];
  return formatList(rows, columns, output, '');
}
