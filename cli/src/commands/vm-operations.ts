import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';
import { readSecret } from './read-secret.ts';
import { type OperationOptions, operationCommand, runOperation } from './run-operation.ts';
import { vmDiskCommands } from './vm-disk.ts';

/** `./factory vm <verb>` for what is done once, and either succeeds or says why not. */
export function vmOperationCommands(): readonly Command[] {
  return [
    resetCommand(),
    setPasswordCommand(),
    addSshKeyCommand(),
    screenshotCommand(),
    ...vmDiskCommands(),
  ];
}

function resetCommand(): Command {
  return operationCommand('reset', 'press the reset button of running machines', 60)
    .argument('<vm...>', 'names or ids')
    .addHelpText('after', '\nExample:\n  ./factory vm reset farm-1 farm-2')
    .action(async (names: readonly string[], options: OperationOptions) => {
      await withClient(options, async (context) => {
        for (const name of names) await runOperation(context, options, name, 'reset', {});
      });
    });
}

const SET_PASSWORD_EXAMPLES = `
The password is asked for, or read from standard input; never give it on the command line.
The guest needs qemu-guest-agent (the images micro and debian-12 have it).

Examples:
  ./factory vm set-password farm-1
  pass show farm | ./factory vm set-password farm-1 --user debian`;

function setPasswordCommand(): Command {
  return operationCommand('set-password', 'give a user of the guest a password', 60)
    .argument('<vm>', 'name or id')
    .option('--user <name>', 'user of the guest', 'root')
    .addHelpText('after', SET_PASSWORD_EXAMPLES)
    .action(async (name: string, options: OperationOptions & { user: string }) => {
      const password = await readSecret(`Password for ${options.user} of ${name}`);
      const params = { user: options.user, password };
      await withClient(options, (context) =>
        runOperation(context, options, name, 'setPassword', params),
      );
    });
}

function addSshKeyCommand(): Command {
  return operationCommand('add-ssh-key', 'let the owner of an SSH key into the guest', 60)
    .argument('<vm>', 'name or id')
    .requiredOption('--key <file>', 'public key')
    .option('--user <name>', 'user of the guest', 'root')
    .addHelpText(
      'after',
      '\nExample:\n  ./factory vm add-ssh-key farm-1 --user debian --key ~/.ssh/id_ed25519.pub',
    )
    .action(async (name: string, options: OperationOptions & { user: string; key: string }) => {
      const publicKey = (await readFile(options.key, 'utf8')).trim();
      const params = { user: options.user, publicKey };
      await withClient(options, (context) =>
        runOperation(context, options, name, 'addSshKey', params),
      );
    });
}

function screenshotCommand(): Command {
  return new Command('screenshot')
    .description("save what is on a machine's screen, as PNG")
    .argument('<vm>', 'name or id')
    .option('--file <file>', 'where to (default: <vm>.png)')
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory vm screenshot farm-1 --file /tmp/farm-1.png')
    .action(async (name: string, options: { data?: string; file?: string }) => {
      await withClient(options, async ({ client }) => {
        const vm = await client.findVm(name);
        const file = options.file ?? `${vm.name}.png`;
        await writeFile(file, await client.screenshot(vm.id));
        console.log(file);
      });
    });
}
