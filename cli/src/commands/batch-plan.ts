import { BatchPlanSchema, BatchReportSchema, HoldSchema } from '@factory/contracts';
import { Command } from 'commander';
import { Compile } from 'typebox/compile';
import { stringify } from 'yaml';
import { type CreateOptions, requestOf, withRequestOptions } from './batch-create.ts';
import { withClient } from './context.ts';
import { dataOption, integer, outputOption } from './options.ts';

const planAnswer = Compile(BatchPlanSchema);
const holdAnswer = Compile(HoldSchema);
const reportAnswer = Compile(BatchReportSchema);

const HOLD_EXAMPLES = `
Examples:
  ./factory batch hold --name farm --image micro --count 40 --seconds 600
  ./factory batch create --from-hold hld_…`;

/** `./factory batch plan`: what would become of a batch; nothing is kept. */
export function planCommand(): Command {
  const command = new Command('plan').description('show what would become of a batch');
  return withRequestOptions(command)
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: CreateOptions) => {
      const request = await requestOf(options);
      await withClient(options, async ({ client }) => {
        const decode = (value: unknown) => planAnswer.Parse(value);
        show(await client.call('POST', '/v1/batches:plan', decode, request), options.output);
      });
    });
}

/** `./factory batch hold` */
export function holdCommand(): Command {
  const command = new Command('hold').description('keep room for a batch for a short time');
  return withRequestOptions(command)
    .option('--seconds <n>', 'how long (default: 300)', integer(10, 3600))
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', HOLD_EXAMPLES)
    .action(async (options: CreateOptions & { readonly seconds?: number }) => {
      const { seconds } = options;
      const held = seconds === undefined ? {} : { holdSeconds: seconds };
      const request = { ...(await requestOf(options)), ...held };
      await withClient(options, async ({ client }) => {
        const decode = (value: unknown) => holdAnswer.Parse(value);
        show(await client.call('POST', '/v1/batches:hold', decode, request), options.output);
      });
    });
}

/** `./factory batch report` */
export function reportCommand(): Command {
  return new Command('report')
    .description('show what was asked for and what became of it, also when it is gone')
    .argument('<batch>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: { readonly data?: string; readonly output: string }) => {
      await withClient(options, async ({ client }) => {
        const { id } = await client.findBatch(name);
        const decode = (value: unknown) => reportAnswer.Parse(value);
        show(await client.call('GET', `/v1/batches/${id}/report`, decode), options.output);
      });
    });
}

function show(answer: object, output: string): void {
  console.log(output === 'json' ? JSON.stringify(answer, null, 2) : stringify(answer).trimEnd());
}
