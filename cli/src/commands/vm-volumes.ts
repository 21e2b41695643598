import type { BatchVolume, Vm } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import { Command } from 'commander';
import { createProgress } from '../output/progress.ts';
import { type ClientContext, withClient } from './context.ts';
import { dataOption, timeoutOption } from './options.ts';
import { WaitError } from './wait.ts';
import { parseVolume } from './wordings.ts';

const POLL_MS = 250;
const EXAMPLES = `
A running machine gets a disk at once, and a folder if it was started with one. What is taken from a
running machine must not be in use: unmount it in the guest first.

Examples:
  ./factory vm attach farm-1 scratch:/data
  ./factory vm detach farm-1 scratch`;

interface ChangeOptions {
  readonly data?: string;
  readonly timeout: number;
}

/** `attach` and `detach`, of `./factory vm` and of `./factory volume`. */
export function volumeChangeCommands(): readonly Command[] {
  return [
    changeCommand('attach', 'give a running or stopped machine a volume').argument(
      '<volume>',
      'name, name:/path or name:/path:ro',
      parseVolume,
    ),
    changeCommand('detach', 'take a volume from a machine; what is in it stays').argument(
      '<volume>',
      'name',
      (volume: string): BatchVolume => ({ volume }),
    ),
  ];
}

function changeCommand(verb: 'attach' | 'detach', description: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<vm>', 'name or id')
    .addOption(timeoutOption(300))
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action((name: string, volume: BatchVolume, options: ChangeOptions) =>
      withClient(options, (context) => change(context, options, name, verb, volume)),
    );
}

/** Wishes it, and waits until its host has done it. @throws WaitError with why it could not. */
async function change(
  { client, clock }: ClientContext,
  { timeout }: ChangeOptions,
  name: string,
  verb: 'attach' | 'detach',
  volume: BatchVolume,
): Promise<void> {
  const { id } = await client.findVm(name);
  const { generation } = await client.changeVolumes(id, `${verb}Volume`, volume);
  const progress = createProgress(clock);
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const vm = await client.vm(id);
    progress.step(`${vm.name}: ${vm.message ?? `${verb} is under way`}`);
    const isDone = vm.appliedGeneration >= generation;
    const isAsWished = has(vm, volume) === (verb === 'attach');
    if (isDone && isAsWished) return progress.done(describe(vm, verb, volume));
    if (isDone || clock.monotonicMs() - startedAtMs > timeout * 1000) {
      progress.end();
      throw new WaitError(`${vm.name} is ${vm.state}: ${vm.message ?? 'it is not done yet'}`);
    }
    await sleep(clock, POLL_MS);
  }
}

function has({ volumes = [] }: Vm, { volume }: BatchVolume): boolean {
  return volumes.some(({ name }) => name === volume);
}

function describe({ name, state }: Vm, verb: 'attach' | 'detach', { volume }: BatchVolume): string {
  if (verb === 'detach') return `${name} has ${volume} no more`;
  return `${name} has ${volume}${state === 'running' ? '' : ' from its next start on'}`;
}
