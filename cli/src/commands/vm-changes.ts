import type { Vm } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import { Command } from 'commander';
import { createProgress } from '../output/progress.ts';
import { type ClientContext, withClient } from './context.ts';
import { dataOption, integer, timeoutOption } from './options.ts';
import { WaitError } from './wait.ts';

const POLL_MS = 250;

/** `./factory vm <verb>` for what makes another machine of one. */
export function vmChangeCommands(): readonly Command[] {
  return [resizeCommand(), rebuildCommand()];
}

interface ChangeOptions {
  readonly data?: string;
  readonly timeout: number;
}

function resizeCommand(): Command {
  return new Command('resize')
    .description('give a stopped machine another size; its disk can only grow')
    .argument('<vm>', 'name or id')
    .option('--vcpus <count>', 'virtual CPUs', integer(1))
    .option('--memory <MiB>', 'memory, in MiB', integer(1))
    .option('--disk <GiB>', 'disk, in GiB', integer(1))
    .addOption(timeoutOption(300))
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nExample:\n  ./factory vm stop --wait farm-1 && ./factory vm resize farm-1 --vcpus 4 --disk 20',
    )
    .action(
      async (
        name: string,
        options: ChangeOptions & { vcpus?: number; memory?: number; disk?: number },
      ) => {
        const { vcpus, memory: memoryMiB, disk: diskGiB } = options;
        await withClient(options, (context) =>
          change(context, options, name, 'resize', { vcpus, memoryMiB, diskGiB }),
        );
      },
    );
}

function rebuildCommand(): Command {
  return new Command('rebuild')
    .description("make a machine's disk anew of an image; what was on it is lost")
    .argument('<vm>', 'name or id')
    .requiredOption('--image <image>', 'name of the image')
    .option('--image-version <sha256>', 'the newest if not given')
    .addOption(timeoutOption(600))
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory vm rebuild farm-1 --image debian-12')
    .action(
      async (name: string, options: ChangeOptions & { image: string; imageVersion?: string }) => {
        const { image, imageVersion } = options;
        await withClient(options, (context) =>
          change(context, options, name, 'rebuild', { image, imageVersion }),
        );
      },
    );
}

/** Wishes it, and waits until its host has carried it out. @throws WaitError with why it could not. */
async function change(
  { client, clock }: ClientContext,
  { timeout }: ChangeOptions,
  name: string,
  verb: 'resize' | 'rebuild',
  body: object,
): Promise<void> {
  const before = await client.findVm(name);
  const wished = await client.respecVm(before.id, verb, body);
  const progress = createProgress(clock);
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const vm = await client.vm(before.id);
    progress.step(`${vm.name}: ${vm.state}`);
    const isDone = vm.appliedGeneration >= wished.generation;
    const isLate = clock.monotonicMs() - startedAtMs > timeout * 1000;
    if (isDone && isAsWished(vm, wished)) return progress.done(`${vm.name}: ${describe(vm)}`);
    if (isDone || isLate) {
      progress.end();
      throw new WaitError(`${vm.name} is ${vm.state}: ${vm.message ?? 'it is not done yet'}`);
    }
    await sleep(clock, POLL_MS);
  }
}

function isAsWished(vm: Vm, wished: Vm): boolean {
  const { state, vcpus, memoryMiB, diskGiB, image, reason } = vm;
  const isSame =
    vcpus === wished.vcpus &&
    memoryMiB === wished.memoryMiB &&
    diskGiB === wished.diskGiB &&
    image === wished.image;
  return isSame && state !== 'failed' && (reason === null || reason === 'STOPPED_BY_USER');
}

function describe({ state, image, vcpus, memoryMiB, diskGiB }: Vm): string {
  return `${state}, ${image}, ${vcpus} vCPUs, ${memoryMiB} MiB of memory, ${diskGiB} GiB of disk`;
}
