import type { Operation } from '@factory/contracts';
import { Command } from 'commander';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';
import { type OperationOptions, operationCommand, runOperation } from './run-operation.ts';

/** `./factory vm <verb>` for a machine's disk: snapshots, and images made of it. */
export function vmDiskCommands(): readonly Command[] {
  return [
    snapshotCommand(),
    snapshotsCommand(),
    revertCommand(),
    deleteSnapshotCommand(),
    makeImageCommand(),
  ];
}

const NOT_QUIESCED =
  "The guest's agent did not freeze its file systems: what is kept is as after a power failure.";

function snapshotCommand(): Command {
  return operationCommand('snapshot', "keep a machine's disk as it is now; it goes on", 300)
    .argument('<vm>', 'name or id')
    .argument('<name>', 'what the snapshot is to be called')
    .addHelpText('after', '\nExample:\n  ./factory vm snapshot farm-1 before-upgrade')
    .action(async (vm: string, name: string, options: OperationOptions) => {
      await withClient(options, async (context) => {
        const { data } = await runOperation(context, options, vm, 'snapshot', { name });
        if (data?.kind === 'snapshot' && !data.isQuiesced) console.error(NOT_QUIESCED);
      });
    });
}

function snapshotsCommand(): Command {
  return new Command('snapshots')
    .description("list a machine's snapshots, oldest first")
    .argument('<vm>', 'name or id')
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string }) => {
      await withClient(options, async ({ client }) => {
        const vm = await client.findVm(name);
        for (const each of await client.snapshots(vm.id)) {
          console.log(`${each.createdAt}  ${each.name}`);
        }
      });
    });
}

const REVERT_HELP = `
What the machine has written since is lost. A running one is cut off, and started again.

Example:
  ./factory vm revert farm-1 before-upgrade`;

function revertCommand(): Command {
  return operationCommand('revert', 'make a disk again what it was at a snapshot', 600)
    .argument('<vm>', 'name or id')
    .argument('<snapshot>', 'name of the snapshot')
    .addHelpText('after', REVERT_HELP)
    .action(async (vm: string, name: string, options: OperationOptions) => {
      await withClient(options, (context) =>
        runOperation(context, options, vm, 'revert', { name }),
      );
    });
}

function deleteSnapshotCommand(): Command {
  return operationCommand('delete-snapshot', "give a snapshot's room back", 600)
    .argument('<vm>', 'name or id')
    .argument('<snapshot>', 'name of the snapshot')
    .addHelpText('after', '\nExample:\n  ./factory vm delete-snapshot farm-1 before-upgrade')
    .action(async (vm: string, name: string, options: OperationOptions) => {
      await withClient(options, (context) =>
        runOperation(context, options, vm, 'deleteSnapshot', { name }),
      );
    });
}

const MAKE_IMAGE_HELP = `
A machine that runs goes on meanwhile. Keys and host names in its disk become part of the image.
It goes on when this command is interrupted; "factory operation cancel" ends it.

Examples:
  ./factory vm make-image farm-1 render-2
  ./factory batch create --name r --image render-2 --count 9`;

function makeImageCommand(): Command {
  return operationCommand('make-image', "make an image out of a machine's disk", 7_200)
    .argument('<vm>', 'name or id; it runs or is stopped')
    .argument('<image>', 'name of the image')
    .addHelpText('after', MAKE_IMAGE_HELP)
    .action(async (vm: string, name: string, options: OperationOptions) => {
      await withClient(options, async (context) => {
        const began = ({ id }: Operation): void =>
          console.error(`To end it before it is made: ./factory operation cancel ${id}`);
        const { data } = await runOperation(context, options, vm, 'makeImage', { name }, began);
        if (data?.kind !== 'makeImage') return;
        console.log(`${data.name} ${data.version}`);
        if (!data.isQuiesced) console.error(NOT_QUIESCED);
      });
    });
}
