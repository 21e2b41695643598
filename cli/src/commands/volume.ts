import { VOLUME_KINDS, type Volume } from '@factory/contracts';
import { Command, Option } from 'commander';
import { formatOne, formatVolumes, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, integer, outputOption } from './options.ts';
import { volumeChangeCommands } from './vm-volumes.ts';

const EXAMPLES = `
Examples:
  ./factory volume create scratch --kind directory --size 10
  ./factory batch create --name farm --image micro --count 4 --volume scratch:/data
  ./factory vm attach farm-1 scratch:/data
  ./factory vm detach farm-1 scratch
  ./factory volume delete scratch`;

/** `./factory volume …` */
export function volumeCommand(): Command {
  const command = new Command('volume')
    .description('files that outlive machines: folders that many have, disks that one has')
    .addHelpText('after', EXAMPLES);
  command.addCommand(createCommand());
  command.addCommand(listCommand());
  for (const change of volumeChangeCommands()) command.addCommand(change);
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
