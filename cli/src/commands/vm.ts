import type { Vm } from '@factory/contracts';
import { Command } from 'commander';
import { formatOne, formatVms, type OutputFormat } from '../output/format.ts';
import { createProgress } from '../output/progress.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption, timeoutOption } from './options.ts';
import { vmChangeCommands } from './vm-changes.ts';
import { consoleCommand } from './vm-console.ts';
import { vmOperationCommands } from './vm-operations.ts';
import { historyCommand, topCommand } from './vm-top.ts';
import { volumeChangeCommands } from './vm-volumes.ts';
import { waitForVm } from './wait.ts';

/** `./factory vm …` */
export function vmCommand(): Command {
  const command = new Command('vm').description('single machines');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(logsCommand());
  command.addCommand(consoleCommand());
  command.addCommand(topCommand());
  command.addCommand(historyCommand());
  command.addCommand(actionCommand('stop', 'power machines off, gently first', ['stopped']));
  command.addCommand(actionCommand('start', 'power machines on', ['running']));
  command.addCommand(actionCommand('reboot', 'restart machines', ['running']));
  command.addCommand(
    actionCommand('suspend', 'keep the memory of machines on their hosts, and stop them there', [
      'suspended',
    ]),
  );
  command.addCommand(
    actionCommand('resume', 'let suspended machines go on from where they were', ['running']),
  );
  command.addCommand(actionCommand('delete', 'delete machines with their disks', ['deleted']));
  for (const operation of vmOperationCommands()) command.addCommand(operation);
  for (const change of vmChangeCommands()) command.addCommand(change);
  for (const change of volumeChangeCommands()) command.addCommand(change);
  return command;
}

interface ReadOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the machines')
    .option('--batch <batch>', 'only those of this batch (name or id)')
    .option('--state <state>', 'only those in this state')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: ReadOptions & { batch?: string; state?: string }) => {
      await withClient(options, async ({ client }) => {
        const { batch, state } = options;
        const batchId = batch === undefined ? undefined : (await client.findBatch(batch)).id;
        const vms = await client.vms({
          ...(batchId === undefined ? {} : { batchId }),
          ...(state === undefined ? {} : { state }),
        });
        console.log(formatVms(vms, options.output));
      });
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('show everything about one machine')
    .argument('<vm>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatOne(await client.findVm(name), options.output));
      });
    });
}

function logsCommand(): Command {
  return new Command('logs')
    .description("print the end of a machine's serial console")
    .argument('<vm>', 'name or id')
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string }) => {
      await withClient(options, async ({ client }) => {
        const vm = await client.findVm(name);
        process.stdout.write(await client.logs(vm.id));
      });
    });
}

type Verb = 'start' | 'stop' | 'reboot' | 'suspend' | 'resume' | 'delete';

function actionCommand(verb: Verb, description: string, states: readonly string[]): Command {
  return new Command(verb)
    .description(description)
    .argument('<vm...>', 'names or ids')
    .option('--wait', 'wait until it is done')
    .addOption(timeoutOption(120))
    .addOption(dataOption())
    .action(async (names: string[], options: { data?: string; wait?: true; timeout: number }) => {
      await withClient(options, async ({ client, clock }) => {
        const vms: Vm[] = [];
        for (const name of names) vms.push(await client.findVm(name));
        for (const vm of vms) {
          if (verb === 'delete') await client.deleteVm(vm.id);
          else await client.actOnVm(vm.id, verb);
          if (options.wait !== true) console.log(`${vm.name}: ${verb} is under way`);
        }
        if (options.wait !== true) return;
        const timeoutMs = options.timeout * 1000;
        for (const vm of vms) {
          await waitForVm(client, clock, vm, states, createProgress(clock), timeoutMs);
        }
      });
    });
}
