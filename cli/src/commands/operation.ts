import { Command } from 'commander';
import { stringify } from 'yaml';
import type { OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';
import { type OperationOptions, operationCommand, untilEnded } from './run-operation.ts';

/** `./factory operation …` */
export function operationsCommand(): Command {
  const command = new Command('operation').description('what is being done to machines');
  command.addCommand(showCommand());
  command.addCommand(cancelCommand());
  return command;
}

function showCommand(): Command {
  return new Command('show')
    .description('show how far an operation is')
    .argument('<id>', 'of an operation on a machine, or on a batch')
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nExample:\n  ./factory operation show op_0f3a1c5e7d9b2468ace013579bdf2468',
    )
    .action(async (id: string, options: { data?: string; output: OutputFormat }) => {
      await withClient(options, async ({ client }) => {
        const operation = await client.anyOperation(id);
        const isJson = options.output === 'json';
        console.log(isJson ? JSON.stringify(operation, undefined, 2) : stringify(operation).trim());
      });
    });
}

const CANCEL_HELP = `
One that has not begun at its host is not begun. A snapshot or an image that is being made is taken
back; anything else that has begun goes on to its end.

Example:
  ./factory operation cancel op_0f3a1c5e7d9b2468ace013579bdf2468`;

function cancelCommand(): Command {
  return operationCommand('cancel', 'end an operation, and take back what was made for it', 300)
    .argument('<id>', 'of an operation on a machine, or on a batch')
    .addHelpText('after', CANCEL_HELP)
    .action(async (id: string, options: OperationOptions) => {
      await withClient(options, async (context) => {
        const cancelling = await context.client.cancelOperation(id);
        if ('counts' in cancelling) {
          console.log(`${id}: asked for the end of ${cancelling.counts.running} machines' parts`);
          return;
        }
        await untilEnded(context, options, cancelling, `${id}: cancel`);
        console.log(`${id}: cancelled`);
      });
    });
}
