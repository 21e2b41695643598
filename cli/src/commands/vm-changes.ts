import type { SecurityRule, Vm, VmChange } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import { Command } from 'commander';
import { createProgress } from '../output/progress.ts';
import { type ClientContext, withClient } from './context.ts';
import { dataOption, integer, timeoutOption } from './options.ts';
import { securityRuleOption } from './subnet.ts';
import { WaitError } from './wait.ts';

const POLL_MS = 250;

/** `./factory vm <verb>` for what makes another machine of one. */
export function vmChangeCommands(): readonly Command[] {
  return [resizeCommand(), rebuildCommand(), changeCommand()];
}

const CHANGE_EXAMPLES = `
Examples:
  ./factory vm change web-1 --security-rule 'accept in tcp 443' --security-rule 'accept in icmp'
  ./factory vm change web-1 --no-security-rules      what its subnet lets through, all of it
  ./factory vm change web-1 --batch-security-rules   those of its batch again
  ./factory vm change web-1 --external               an address of the world of its own
  ./factory vm change web-1 --no-external`;

const NOTHING_TO_CHANGE =
  'error: nothing is to change; give --security-rule, --external or another option (--help)';

interface NetworkOptions extends ChangeOptions {
  readonly securityRule?: readonly SecurityRule[];
  /** False with `--no-security-rules`. */
  readonly securityRules: boolean;
  readonly batchSecurityRules?: true;
  readonly external?: boolean;
}

function changeCommand(): Command {
  return new Command('change')
    .description(
      'change the security rules or the external address of a machine, also while it runs',
    )
    .argument('<vm>', 'name or id')
    .addOption(securityRuleOption().conflicts('batchSecurityRules'))
    .option('--no-security-rules', 'of its own, nor its batch; those of its subnet stay')
    .option('--batch-security-rules', 'those of its batch again')
    .option('--external', "give it an external address, one of its host's")
    .option('--no-external', 'take its external address away')
    .addOption(timeoutOption(60))
    .addOption(dataOption())
    .addHelpText('after', CHANGE_EXAMPLES)
    .action(async (name: string, options: NetworkOptions, command: Command) => {
      const body = networkChangeOf(options);
      if (Object.keys(body).length === 0) command.error(NOTHING_TO_CHANGE);
      await withClient(options, async (context) => {
        const { id } = await context.client.findVm(name);
        const wished = await context.client.changeVm(id, body);
        const isAsWished = (vm: Vm): boolean =>
          body.externalAddress === undefined ||
          body.externalAddress === (typeof vm.externalAddress === 'string');
        // One that is not where it is wished hears of it when it is started.
        const isUnderWay = wished.generation > wished.appliedGeneration;
        if (isUnderWay) await waitUntil(context, options, wished, isAsWished, describeNetworks);
        else console.log(`${wished.name}: ${describeNetworks(wished)}`);
      });
    });
}

function networkChangeOf(options: NetworkOptions): VmChange {
  const { securityRule, securityRules, batchSecurityRules, external } = options;
  const own = securityRule === undefined ? [] : [...securityRule];
  const hasRules = own.length > 0 || !securityRules;
  return {
    ...(hasRules ? { securityRules: own } : {}),
    ...(batchSecurityRules === undefined ? {} : { securityRules: null }),
    ...(external === undefined ? {} : { externalAddress: external }),
  };
}

function describeNetworks({ state, securityRules, externalAddress }: Vm): string {
  const count = securityRules?.length;
  const rules = count === undefined ? 'the security rules of its batch' : `${count} security rules`;
  return `${state}, ${rules}, ${externalAddress ?? 'no'} external address`;
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
  context: ClientContext,
  options: ChangeOptions,
  name: string,
  verb: 'resize' | 'rebuild',
  body: object,
): Promise<void> {
  const before = await context.client.findVm(name);
  const wished = await context.client.respecVm(before.id, verb, body);
  await waitUntil(context, options, wished, (vm) => isAsWished(vm, wished), describe);
}

/** Waits until the host of a machine has carried a wish out. @throws WaitError with why not. */
async function waitUntil(
  { client, clock }: ClientContext,
  { timeout }: ChangeOptions,
  wished: Vm,
  isDoneAs: (vm: Vm) => boolean,
  describe: (vm: Vm) => string,
): Promise<void> {
  const progress = createProgress(clock);
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const vm = await client.vm(wished.id);
    progress.step(`${vm.name}: ${vm.state}`);
    const isDone = vm.appliedGeneration >= wished.generation;
    const isLate = clock.monotonicMs() - startedAtMs > timeout * 1000;
    if (isDone && isDoneAs(vm)) return progress.done(`${vm.name}: ${describe(vm)}`);
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
