import { readFile } from 'node:fs/promises';
import type { BatchOperation, Operation } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import type { Command } from 'commander';
import { createProgress } from '../output/progress.ts';
import { type ClientContext, withClient } from './context.ts';
import { readSecret } from './read-secret.ts';
import { type OperationOptions, operationCommand } from './run-operation.ts';
import { WaitError } from './wait.ts';

const POLL_MS = 250;
/** Machines that failed and are named; the others are counted. */
const SHOWN_MAX = 20;

/** `./factory batch <verb>`: something is done to all machines of a batch, with one call. */
export function batchOperationCommands(): readonly Command[] {
  return [
    plainCommand('start', 'start all machines that are off'),
    plainCommand('stop', 'power all machines off, gently first'),
    plainCommand('suspend', 'suspend all machines: their memory is kept on disk'),
    plainCommand('resume', 'resume all suspended machines'),
    plainCommand('reboot', 'restart all machines'),
    plainCommand('reset', 'press the reset button of all machines'),
    snapshotCommand('snapshot', "keep all machines' disks as they are now", 'snapshot'),
    snapshotCommand('revert', 'go back to a snapshot with all machines', 'revert'),
    snapshotCommand('delete-snapshot', 'delete a snapshot of all machines', 'deleteSnapshot'),
    setPasswordCommand(),
    addSshKeyCommand(),
  ];
}

function plainCommand(verb: string, description: string): Command {
  return operationCommand(verb, description, 600)
    .argument('<batch>', 'name or id')
    .addHelpText('after', example(`${verb} farm`))
    .action(async (batch: string, options: OperationOptions) => {
      await withClient(options, (context) => run(context, options, { batch, verb, params: {} }));
    });
}

function snapshotCommand(name: string, description: string, verb: string): Command {
  return operationCommand(name, description, 1_200)
    .argument('<batch>', 'name or id')
    .argument('<snapshot>', 'name of the snapshot')
    .addHelpText('after', example(`${name} farm before-upgrade`))
    .action(async (batch: string, snapshot: string, options: OperationOptions) => {
      const params = { name: snapshot };
      await withClient(options, (context) => run(context, options, { batch, verb, params }));
    });
}

function setPasswordCommand(): Command {
  return operationCommand('set-password', 'give a user of all guests a password', 300)
    .argument('<batch>', 'name or id')
    .option('--user <name>', 'user of the guests', 'root')
    .addHelpText(
      'after',
      `\nThe password is asked for, or read from standard input.\n${example('set-password farm')}`,
    )
    .action(async (batch: string, options: OperationOptions & { user: string }) => {
      const password = await readSecret(`Password for ${options.user} of ${batch}`);
      const params = { user: options.user, password };
      const what = { batch, verb: 'setPassword', params };
      await withClient(options, (context) => run(context, options, what));
    });
}

function addSshKeyCommand(): Command {
  return operationCommand('add-ssh-key', 'let the owner of an SSH key into all guests', 300)
    .argument('<batch>', 'name or id')
    .requiredOption('--key <file>', 'public key')
    .option('--user <name>', 'user of the guests', 'root')
    .addHelpText('after', example('add-ssh-key farm --user debian --key ~/.ssh/id_ed25519.pub'))
    .action(async (batch: string, options: OperationOptions & { user: string; key: string }) => {
      const publicKey = (await readFile(options.key, 'utf8')).trim();
      const params = { user: options.user, publicKey };
      const what = { batch, verb: 'addSshKey', params };
      await withClient(options, (context) => run(context, options, what));
    });
}

function example(line: string): string {
  return `\nExample:\n  ./factory batch ${line}`;
}

/** Begins it, waits for its end, and says which machines failed. @throws WaitError when some did. */
async function run(
  { client, clock }: ClientContext,
  { timeout }: OperationOptions,
  what: { readonly batch: string; readonly verb: string; readonly params: object },
): Promise<void> {
  const { id, name } = await client.findBatch(what.batch);
  const started = await client.operateOnBatch(id, what.verb, what.params);
  const progress = createProgress(clock);
  const endMs = clock.monotonicMs() + timeout * 1000;
  let current = started;
  while (current.state === 'running') {
    progress.step(`${name}: ${what.verb}: ${describe(current)}`);
    if (clock.monotonicMs() > endMs) {
      progress.end();
      throw new WaitError(`${what.verb} of ${name} goes on after ${timeout} s: ${started.id}`);
    }
    await sleep(clock, POLL_MS);
    current = await client.batchOperation(started.id);
  }
  if (current.counts.failed === 0) {
    progress.done(`${name}: ${what.verb}: ${describe(current)}`);
    return;
  }
  progress.end();
  const names = new Map((await client.vms({ batchId: id })).map((vm) => [vm.id, vm.name]));
  const failed = await client.operationResults(started.id, 'failed');
  const lines = failed.slice(0, SHOWN_MAX).map((each) => describeFailure(each, names));
  const more = failed.length > SHOWN_MAX ? [`and ${failed.length - SHOWN_MAX} more`] : [];
  throw new WaitError([`${describe(current)} of ${name}:`, ...lines, ...more].join('\n  '));
}

function describe({ counts: { running, succeeded, failed } }: BatchOperation): string {
  const open = running === 0 ? '' : `, ${running} under way`;
  return `${succeeded} done, ${failed} failed${open}`;
}

function describeFailure(
  { vmId, reason, message }: Operation,
  names: ReadonlyMap<string, string>,
): string {
  return `${names.get(vmId) ?? vmId}: ${reason === null ? '' : `${reason}: `}${message}`;
}
