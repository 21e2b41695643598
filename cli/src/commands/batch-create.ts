import { readFile } from 'node:fs/promises';
import type {
  AttributeRule,
  BatchRequest,
  BatchVolume,
  NicRequest,
  SecurityRule,
  Shape,
  VmHardware,
} from '@factory/contracts';
import { Command, InvalidArgumentError, Option } from 'commander';
import { formatOne, formatVms, type OutputFormat } from '../output/format.ts';
import { createProgress } from '../output/progress.ts';
import { type TermOptions, termOptions, termsOf } from './batch-terms.ts';
import { withClient } from './context.ts';
import {
  collect,
  dataOption,
  integer,
  outputOption,
  timeoutOption,
  UsageError,
} from './options.ts';
import { readSecret } from './read-secret.ts';
import { waitForBatch } from './wait.ts';
import {
  each,
  parseNic,
  parseRequirement,
  parseResource,
  parseSecurityRule,
  parseVolume,
  SECURITY_RULE_WORDING,
} from './wordings.ts';

const EXAMPLES = `
Examples:
  ./factory batch create --name first --image micro --count 8 --vcpus 1 --memory 128 --wait
  ./factory batch create --name farm --image micro --total-vcpus 20 --shape 8x1024 --shape 4x512
  ./factory batch create --name keyed --image micro --count 2 --ssh-key ~/.ssh/id_ed25519.pub

  In a subnet of their own, with a second card in another, reachable by SSH alone:
  ./factory batch create --name web --image micro --count 2 --subnet front --nic back \\
    --security-rule 'accept in tcp 22'

  With a folder that they share (./factory volume create scratch --size 10):
  ./factory batch create --name farm --image micro --count 4 --volume scratch:/data

  One machine that has an address of your choice:
  ./factory batch create --name dns --image micro --count 1 --subnet front=10.30.0.53

  Each on another host, of racks 1 and 2 with 32 cores or more:
  ./factory batch create --name db --image micro --count 3 --anti-affinity db \\
    --require rack=r1,r2 --require 'cores>=32'

  Windows, with what it asks for:
  ./factory batch create --name win --image windows-11 --count 1 --memory 8192 --disk 64 \\
    --os windows --firmware uefi-secure --tpm --admin-password

  With two graphics cards, cores of their own and memory in huge pages:
  ./factory batch create --name render --image debian-12 --count 4 --vcpus 8 --memory 16384 \\
    --gpus 2 --gpu-model A100 --pin-cpus --hugepages 1G`;

/** What `batch create` and `batch plan` are given. */
export interface CreateOptions extends TermOptions {
  readonly data?: string;
  readonly name?: string;
  readonly image?: string;
  readonly fromHold?: string;
  readonly count?: number;
  readonly vcpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly totalVcpus?: number;
  readonly shape?: readonly Shape[];
  readonly sshKey?: readonly string[];
  readonly userData?: string;
  readonly adminPassword?: true;
  readonly volume?: readonly BatchVolume[];
  readonly subnet?: NicRequest;
  readonly nic?: readonly NicRequest[];
  readonly securityRule?: readonly SecurityRule[];
  readonly require?: readonly AttributeRule[];
  readonly affinity?: string;
  readonly antiAffinity?: string;
  readonly external?: true;
  readonly placement?: 'pack' | 'spread';
  readonly resource?: readonly (readonly [name: string, amount: number])[];
  readonly firmware?: 'bios' | 'uefi' | 'uefi-secure';
  readonly os?: 'linux' | 'windows';
  readonly devices?: 'virtio' | 'emulated';
  readonly tpm?: true;
  readonly autostart: boolean;
  readonly cpuModel?: string;
  readonly pinCpus?: true;
  readonly numaNodes?: number;
  readonly hugepages?: '2M' | '1G';
  readonly gpus?: number;
  readonly gpuModel?: string;
  readonly wait?: true;
  readonly timeout: number;
  readonly output: OutputFormat;
}

/** `./factory batch create` */
export function createCommand(): Command {
  const command = new Command('create')
    .description('create a batch')
    .option('--from-hold <id>', 'what was held, and nothing else: see ./factory batch hold');
  return withRequestOptions(command)
    .option('--wait', 'wait until all machines run and answer')
    .addOption(timeoutOption(600))
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action(create);
}

/** With all that a request for a batch may say. */
export function withRequestOptions(command: Command): Command {
  command
    .option('--name <name>', 'name of the batch; its machines are <name>-1 and so on')
    .option('--image <name>', 'image to start from')
    .option('--count <n>', 'number of machines', integer(1))
    .option('--vcpus <n>', 'virtual cpus of each machine', integer(1))
    .option('--memory <MiB>', 'memory of each machine in MiB', integer(1))
    .option('--disk <GiB>', 'disk of each machine in GiB', integer(1))
    .option('--total-vcpus <n>', 'cores in total, instead of --count', integer(1))
    .option('--shape <VxM>', 'allowed size for --total-vcpus: vcpus x MiB; repeatable', parseShape)
    .option('--ssh-key <file>', 'public key for the machines; repeatable', collect)
    .option('--user-data <file>', 'script or cloud-init data that the machines run at first boot')
    .option('--admin-password', "asks for the password of the machines' administrator (Windows)")
    .option(
      '--volume <name[:path[:ro]]>',
      'volume that all machines get, and where they mount it; repeatable',
      each(parseVolume),
    );
  const groups = {
    'Terms:': termOptions(),
    'Networks:': networkOptions(),
    'Choice of hosts:': placementOptions(),
    'Kind of machine:': hardwareOptions(),
  };
  for (const [title, options] of Object.entries(groups)) {
    for (const option of options) command.addOption(option.helpGroup(title));
  }
  return command;
}

function networkOptions(): readonly Option[] {
  return [
    new Option(
      '--subnet <name[=address]>',
      "the machines' subnet (default: default); for one machine, its address if it matters",
    ).argParser(parseNic),
    new Option('--nic <name[=address]>', 'a further card in another subnet; repeatable').argParser(
      each(parseNic),
    ),
    new Option(
      '--external',
      "each machine gets an address of the world of its own, one of its host's",
    ),
    new Option(
      '--security-rule <rule>',
      `${SECURITY_RULE_WORDING}; before those of the subnet; repeatable`,
    ).argParser(each(parseSecurityRule)),
  ];
}

function placementOptions(): readonly Option[] {
  return [
    new Option(
      '--require <rule>',
      'what an attribute of the hosts must be: rack=r1, rack=r1,r2, cores>=8, cpu~EPYC.*; repeatable',
    ).argParser(each(parseRequirement)),
    new Option('--affinity <group>', 'all machines of this group on one host').conflicts(
      'antiAffinity',
    ),
    new Option('--anti-affinity <group>', 'each machine of this group on another host'),
    new Option('--placement <how>', 'keep hosts equally full, or fill one before the next').choices(
      ['spread', 'pack'],
    ),
    new Option('--resource <name=amount>', 'further resource of the host; repeatable').argParser(
      each(parseResource),
    ),
  ];
}

function hardwareOptions(): readonly Option[] {
  return [
    new Option('--os <name>', 'what clock, hints and seed are made for').choices([
      'linux',
      'windows',
    ]),
    new Option('--firmware <kind>', 'what the machine starts with (default: bios)').choices([
      'bios',
      'uefi',
      'uefi-secure',
    ]),
    new Option(
      '--devices <kind>',
      'emulated: SATA and e1000e, for guests without virtio drivers',
    ).choices(['virtio', 'emulated']),
    new Option('--tpm', 'with a TPM 2.0'),
    new Option('--no-autostart', 'not started again by itself after a restart of its host'),
    new Option(
      '--cpu-model <name>',
      "the CPU that the guest sees: host, host-model, or a model's name like EPYC-Rome",
    ),
    new Option('--pin-cpus', 'a core of the host for each virtual cpu'),
    new Option('--numa-nodes <n>', 'NUMA nodes that the guest sees').argParser(integer(1, 8)),
    new Option('--hugepages <size>', 'memory in huge pages').choices(['2M', '1G']),
    new Option('--gpus <n>', 'graphics cards of the host, passed through').argParser(
      integer(0, 16),
    ),
    new Option('--gpu-model <name>', 'what the graphics cards must be (attribute gpu_model)'),
  ];
}

async function create(options: CreateOptions): Promise<void> {
  const { fromHold: holdId } = options;
  const request = holdId === undefined ? await requestOf(options) : { holdId };
  await withClient(options, async ({ client, clock }) => {
    const created = await client.createBatch(request);
    if (options.wait !== true) {
      console.log(formatOne(created, options.output === 'table' ? 'name' : options.output));
      return;
    }
    const progress = createProgress(clock);
    const batch = await waitForBatch(client, clock, created, progress, options.timeout * 1000);
    console.log(formatVms(await client.vms({ batchId: batch.id }), options.output));
  });
}

/** The request that the options say. @throws UsageError without a name or an image */
export async function requestOf(options: CreateOptions): Promise<BatchRequest> {
  const keys = await Promise.all((options.sshKey ?? []).map((file) => readFile(file, 'utf8')));
  const { name, image, count, vcpus, memory, disk, totalVcpus, shape, userData } = options;
  if (name === undefined)
    throw new UsageError('The option --name is missing: how the batch is called.');
  if (image === undefined)
    throw new UsageError('The option --image is missing: ./factory image list shows them.');
  return {
    name,
    image,
    ...termsOf(options, totalVcpus !== undefined),
    ...(count === undefined ? {} : { count }),
    ...(vcpus === undefined ? {} : { vcpus }),
    ...(memory === undefined ? {} : { memoryMiB: memory }),
    ...(disk === undefined ? {} : { diskGiB: disk }),
    ...(totalVcpus === undefined ? {} : { totalVcpus }),
    ...(shape === undefined ? {} : { shapes: [...shape] }),
    ...(keys.length === 0 ? {} : { sshPublicKeys: keys.map((key) => key.trim()) }),
    ...(userData === undefined ? {} : { userData: await readFile(userData, 'utf8') }),
    ...(options.adminPassword === undefined
      ? {}
      : { adminPassword: await readSecret(`Password for the administrators of ${name}`) }),
    ...(options.volume === undefined ? {} : { volumes: [...options.volume] }),
    ...networksOf(options),
    ...placementOf(options),
    ...hardwareOf(options),
    ...(options.autostart ? {} : { autostart: false }),
  };
}

type NetworkFields = Pick<BatchRequest, 'network' | 'nics' | 'securityRules' | 'externalAddress'>;

function networksOf({ subnet, nic, securityRule, external }: CreateOptions): NetworkFields {
  return {
    ...(external === undefined ? {} : { externalAddress: true }),
    ...(subnet === undefined ? {} : { network: subnet }),
    ...(nic === undefined ? {} : { nics: [...nic] }),
    ...(securityRule === undefined ? {} : { securityRules: [...securityRule] }),
  };
}

type PlacementFields = Pick<BatchRequest, 'requirements' | 'group' | 'placement' | 'resources'>;

function placementOf(options: CreateOptions): PlacementFields {
  const { require, affinity, antiAffinity, placement, resource } = options;
  return {
    ...(require === undefined ? {} : { requirements: [...require] }),
    ...(affinity === undefined ? {} : { group: { id: affinity, rule: 'affinity' } }),
    ...(antiAffinity === undefined ? {} : { group: { id: antiAffinity, rule: 'anti-affinity' } }),
    ...(placement === undefined ? {} : { placement }),
    ...(resource === undefined ? {} : { resources: Object.fromEntries(resource) }),
  };
}

function hardwareOf(options: CreateOptions): Pick<BatchRequest, 'hardware'> {
  const { firmware, os, devices, tpm, gpus, gpuModel } = options;
  const { cpuModel, pinCpus, numaNodes, hugepages } = options;
  const cpu = {
    ...(cpuModel === undefined ? {} : { model: cpuModel }),
    ...(pinCpus === undefined ? {} : { pinned: true }),
    ...(numaNodes === undefined ? {} : { numaNodes }),
    ...(hugepages === undefined ? {} : { hugepages }),
  };
  const hardware: VmHardware = {
    ...(firmware === undefined ? {} : { firmware }),
    ...(os === undefined ? {} : { os }),
    ...(devices === undefined ? {} : { devices }),
    ...(tpm === undefined ? {} : { tpm }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(gpuModel === undefined ? {} : { gpuModel }),
  };
  return Object.keys(hardware).length === 0 ? {} : { hardware };
}

function parseShape(text: string, before: readonly Shape[] | undefined): readonly Shape[] {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('It should be vcpus x memory in MiB, like 8x1024.');
  }
  return [...(before ?? []), { vcpus: Number(match[1]), memoryMiB: Number(match[2]) }];
}
