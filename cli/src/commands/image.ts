import { Command } from 'commander';
import { ImageClient } from '../client/image-client.ts';
import type { OutputFormat } from '../output/format.ts';
import { formatImage, formatImages } from '../output/images.ts';
import { withClient } from './context.ts';
import { buildCommand } from './image-build.ts';
import { importCommand, uploadCommand } from './image-import.ts';
import { imageReplicateCommand } from './image-replicate.ts';
import { stageCommand } from './image-stage.ts';
import { dataOption, outputOption } from './options.ts';

/** `./factory image …` */
export function imageCommand(): Command {
  const command = new Command('image').description('what machines are made from');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(importCommand());
  command.addCommand(uploadCommand());
  command.addCommand(stageCommand());
  command.addCommand(imageReplicateCommand());
  command.addCommand(deleteCommand());
  command.addCommand(buildCommand());
  return command;
}

interface ReadOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the images that machines can be made from')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatImages(await new ImageClient(client).list(), options.output));
      });
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('show the versions of an image, and how they stand with clusters and hosts')
    .argument('<name>', 'of the image')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatImage(await new ImageClient(client).get(name), options.output));
      });
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('delete a version of an image that no machine needs')
    .argument('<image@version>', 'name and SHA-256 (or the beginning of it), or name and id')
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory image delete debian@1f2e3d4c5b6a')
    .action(async (text: string, options: { data?: string }) => {
      await withClient(options, async ({ client }) => {
        const [name = '', version = ''] = text.split('@', 2);
        const images = new ImageClient(client);
        const { versions } = await images.get(name);
        const meant = versions.filter(
          (each) => version !== '' && (each.id === version || each.version?.startsWith(version)),
        );
        const [first] = meant;
        const sums = new Set(meant.map((each) => each.version));
        if (first === undefined || sums.size > 1) {
          const known = versions.map((each) => each.version?.slice(0, 12) ?? each.id);
          throw new Error(`${name} has no one version ${version}; it has: ${known.join(', ')}`);
        }
        await images.deleteVersion(name, first.version ?? first.id);
        console.log(`${name}@${version}: deleted; the clusters remove it`);
      });
    });
}
