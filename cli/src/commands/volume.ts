import { type BatchVolume, VOLUME_KINDS, type Volume } from '@factory/contracts';
import { Command, Option } from 'commander';
import { formatOne, formatVolumes, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, integer, outputOption } from './options.ts';
import { parseVolume } from './wordings.ts';

const EXAMPLES = `
Examples:
  ./factory volume create scratch --kind directory --size 10
  ./factory batch create --name farm --image micro --count 4 --volume scratch:/data
  ./factory volume attach farm-1 scratch:/data    (farm-1 is stopped)
  ./factory volume delete scratch`;

/** `./factory volume …` */
export function volumeCommand(): Command {
  const command = new Command('volume')
    .description('files that outlive machines: folders that many have, disks that one has')
    .addHelpText('after', EXAMPLES);
  command.addCommand(createCommand());
  command.addCommand(listCommand());
  command.addCommand(attachCommand());
  command.addCommand(detachCommand());
  command.addCommand(deleteCommand());
  return command;
}

interface CreateOptions {
  readonly data?: string;
  readonly kind: Volume['kind'];
  readonly size: number;
  readonly cluster?: string;
  readonly output: OutputFormat;
}

function createCommand(): Command {
  return new Command('create')
    .description('make a volume')
    .argument('<name>')
    .addOption(
      new Option('--kind <kind>', 'directory: for many machines at once; block: a disk for one')
        .choices(VOLUME_KINDS)
        .default('directory'),
    )
    .requiredOption('--size <GiB>', 'quota of a directory, size of a disk', integer(1))
    .option('--cluster <name>', 'where it lives; may be left out when there is one cluster')
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: CreateOptions) =>
      withClient(options, async ({ client }) => {
        const { kind, size: sizeGiB, cluster } = options;
        const where = cluster === undefined ? {} : { cluster };
        const volume = await client.createVolume({ name, kind, sizeGiB, ...where });
        console.log(formatOne(volume, options.output === 'table' ? 'name' : options.output));
      }),
    );
}

function listCommand(): Command {
  return new Command('list')
    .description('list the volumes')
    .addOption(outputOption())
    .addOption(dataOption())
    .action((options: { readonly data?: string; readonly output: OutputFormat }) =>
      withClient(options, async ({ client }) => {
        console.log(formatVolumes(await client.volumes(), options.output));
      }),
    );
}

function attachCommand(): Command {
  return new Command('attach')
    .description('give a stopped machine a volume; it has it from its next start on')
    .argument('<machine>', 'name or id')
    .argument('<volume>', 'name, name:/path or name:/path:ro', parseVolume)
    .addOption(dataOption())
    .action((machine: string, volume: BatchVolume, options: { readonly data?: string }) =>
      withClient(options, async ({ client }) => {
        const vm = await client.findVm(machine);
        await client.changeVolumes(vm.id, 'attachVolume', volume);
        console.log(`${vm.name} has ${volume.volume} from its next start on`);
      }),
    );
}

function detachCommand(): Command {
  return new Command('detach')
    .description('take a volume from a stopped machine; what is in it stays')
    .argument('<machine>', 'name or id')
    .argument('<volume>', 'name')
    .addOption(dataOption())
    .action((machine: string, volume: string, options: { readonly data?: string }) =>
      withClient(options, async ({ client }) => {
        const vm = await client.findVm(machine);
        await client.changeVolumes(vm.id, 'detachVolume', { volume });
        console.log(`${vm.name} has ${volume} no more`);
      }),
    );
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('delete a volume that no machine has, with all that is in it')
    .argument('<volume>', 'name or id')
    .addOption(dataOption())
    .action((name: string, options: { readonly data?: string }) =>
      withClient(options, async ({ client }) => {
        const volume = await client.findVolume(name);
        await client.deleteVolume(volume.id);
        console.log(`${volume.name} is being deleted`);
      }),
    );
}
