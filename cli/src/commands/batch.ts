import type { SecurityRule } from '@factory/contracts';
import { Command } from 'commander';
import { formatBatches, formatOne, formatVms, type OutputFormat } from '../output/format.ts';
import { createProgress } from '../output/progress.ts';
import { createCommand } from './batch-create.ts';
import { batchOperationCommands } from './batch-operations.ts';
import { holdCommand, planCommand, reportCommand } from './batch-plan.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption, timeoutOption } from './options.ts';
import { securityRuleOption } from './subnet.ts';
import { waitForBatch, waitForBatchDeleted } from './wait.ts';

/** `./factory batch …` */
export function batchCommand(): Command {
  const command = new Command('batch').description('many machines from one request');
  command.addCommand(createCommand());
  command.addCommand(planCommand());
  command.addCommand(holdCommand());
  command.addCommand(reportCommand());
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(waitCommand());
  command.addCommand(changeCommand());
  for (const operation of batchOperationCommands()) command.addCommand(operation);
  command.addCommand(deleteCommand());
  return command;
}

interface ReadOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the batches')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatBatches(await client.batches(), options.output));
      });
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('show one batch and its machines')
    .argument('<batch>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        const batch = await client.findBatch(name);
        console.log(formatOne(batch, options.output));
        const isForPeople = options.output === 'table' || options.output === 'wide';
        if (!isForPeople) return;
        console.log();
        console.log(formatVms(await client.vms({ batchId: batch.id }), options.output));
      });
    });
}

function waitCommand(): Command {
  return new Command('wait')
    .description('wait until all machines of a batch run and answer')
    .argument('<batch>', 'name or id')
    .addOption(timeoutOption(600))
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string; timeout: number }) => {
      await withClient(options, async ({ client, clock }) => {
        const batch = await client.findBatch(name);
        await waitForBatch(client, clock, batch, createProgress(clock), options.timeout * 1000);
      });
    });
}

const CHANGE_EXAMPLES = `
Examples:
  ./factory batch change web --security-rule 'accept in tcp 443'
  ./factory batch change web --no-security-rules`;

interface ChangeOptions {
  readonly data?: string;
  readonly securityRule?: readonly SecurityRule[];
  /** False with `--no-security-rules`. */
  readonly securityRules: boolean;
}

function changeCommand(): Command {
  return new Command('change')
    .description("change the security rules of a batch's machines, also while they run")
    .argument('<batch>', 'name or id')
    .addOption(securityRuleOption())
    .option('--no-security-rules', 'none but those of the subnets')
    .addOption(dataOption())
    .addHelpText('after', CHANGE_EXAMPLES)
    .action(async (name: string, options: ChangeOptions) => {
      const { securityRule = [], securityRules } = options;
      const hasRules = securityRule.length > 0 || !securityRules;
      await withClient(options, async ({ client }) => {
        const batch = await client.findBatch(name);
        await client.changeBatch(batch.id, hasRules ? { securityRules: [...securityRule] } : {});
        console.log(`${batch.name} is changed`);
      });
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('delete a batch with all its machines and their disks')
    .argument('<batch>', 'name or id')
    .option('--wait', 'wait until nothing of it is left')
    .addOption(timeoutOption(300))
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string; wait?: true; timeout: number }) => {
      await withClient(options, async ({ client, clock }) => {
        const batch = await client.findBatch(name);
        await client.deleteBatch(batch.id);
        if (options.wait !== true) {
          console.log(`${batch.name} is being deleted`);
          return;
        }
        const progress = createProgress(clock);
        await waitForBatchDeleted(client, clock, batch, progress, options.timeout * 1000);
      });
    });
}
