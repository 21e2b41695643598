import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '@factory/runtime';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ImageClient, type ImageVersion, type NewImage } from '../client/image-client.ts';
import { uploadImage } from '../client/image-upload.ts';
import { createProgress } from '../output/progress.ts';
import { withClient } from './context.ts';
import { waitForImport } from './image-wait.ts';
import { dataOption, integer, timeoutOption } from './options.ts';

interface ImportOptions {
  readonly data?: string;
  readonly name?: string;
  readonly url?: string;
  readonly sha256?: string;
  readonly raw?: true;
  readonly public?: true;
  readonly os?: ImageVersion['os'];
  readonly firmware?: NewImage['firmware'];
  readonly drivers?: NewImage['drivers'];
  readonly minMemory?: number;
  readonly minDisk?: number;
  readonly wait: boolean;
  readonly timeout: number;
}

const EXAMPLES = `
Examples:
  ./factory image import ./debian.qcow2 --name debian
  ./factory image import --url https://example.org/debian.qcow2 --name debian --sha256 <sum>
An import that broke off goes on: ./factory image upload <id> ./debian.qcow2`;

/** `./factory image import` */
export function importCommand(): Command {
  return new Command('import')
    .description('make a new version of an image from a file, or from a URL')
    .argument('[file]', 'a qcow2 file; a raw disk with --raw')
    .option('--url <url>', 'fetched by the factory instead')
    .option('--name <name>', 'of the image; the name of the file by default')
    .option('--sha256 <sum>', 'what the content must have')
    .option('--raw', 'the file is a raw disk')
    .option('--public', 'every project may use it (operators only)')
    .addOption(new Option('--os <os>').choices(['linux', 'windows', 'other']))
    .addOption(new Option('--firmware <kind>').choices(['bios', 'uefi']))
    .addOption(new Option('--drivers <kind>').choices(['virtio', 'emulated']))
    .option('--min-memory <MiB>', 'what a machine of it needs at least', integer(1))
    .option('--min-disk <GiB>', 'what a machine of it needs at least', integer(1))
    .option('--no-wait', 'do not wait until every cluster has it')
    .addOption(timeoutOption(1800))
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string | undefined, options: ImportOptions) => runImport(file, options));
}

async function runImport(file: string | undefined, options: ImportOptions): Promise<void> {
  if ((file === undefined) === (options.url === undefined)) {
    throw new InvalidArgumentError('Give either a file or --url.');
  }
  const image = await newImage(file, options);
  await withClient(options, async ({ client, clock }) => {
    const images = new ImageClient(client);
    const begun = await images.create(image);
    await finishImport(images, clock, { begun, file }, options);
  });
}

/** `./factory image upload` */
export function uploadCommand(): Command {
  return new Command('upload')
    .description('go on with an upload that broke off')
    .argument('<id>', 'of the version, as `image import` and `image show` name it')
    .argument('<name>', 'of the image')
    .argument('<file>', 'the same file as before')
    .option('--no-wait', 'do not wait until every cluster has it')
    .addOption(timeoutOption(1800))
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory image upload img_0198… debian ./debian.qcow2')
    .action(async (id: string, name: string, file: string, options: ImportOptions) => {
      await withClient(options, async ({ client, clock }) => {
        const images = new ImageClient(client);
        await finishImport(images, clock, { begun: { id, name }, file }, options);
      });
    });
}

async function finishImport(
  images: ImageClient,
  clock: Clock,
  {
    begun,
    file,
  }: { readonly begun: Pick<ImageVersion, 'id' | 'name'>; readonly file: string | undefined },
  { wait, timeout }: Pick<ImportOptions, 'wait' | 'timeout'>,
): Promise<void> {
  const progress = createProgress(clock);
  const { id, name } = begun;
  if (file !== undefined) {
    progress.step(`uploading ${name} (${id})`);
    await uploadImage(images, clock, { id, path: file }, (done, total) =>
      progress.step(`uploading ${name} (${id}): ${Math.floor((done * 100) / total)} %`),
    );
  }
  if (!wait) {
    progress.done(`${name} is on its way: ./factory image show ${name}`);
    return;
  }
  const version = await waitForImport(images, clock, { id, name }, progress, timeout * 1000);
  progress.done(
    `${name}@${version.slice(0, 12)} can be used: ./factory batch create … --image ${name}`,
  );
}

async function newImage(file: string | undefined, options: ImportOptions): Promise<NewImage> {
  const { url, sha256, os, firmware, drivers, minMemory, minDisk } = options;
  const name = options.name ?? nameOf(file ?? url ?? '');
  const sum = sha256 === undefined ? {} : { sha256 };
  const source = url === undefined ? sum : { source: { url, ...sum } };
  return {
    ...{ name, ...source },
    ...(file === undefined ? {} : { sizeBytes: (await stat(file)).size }),
    ...(options.raw === true ? { format: 'raw' as const } : {}),
    ...(options.public === true ? { visibility: 'public' as const } : {}),
    ...(os === undefined ? {} : { os }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(drivers === undefined ? {} : { drivers }),
    ...(minMemory === undefined ? {} : { minMemoryMiB: minMemory }),
    ...(minDisk === undefined ? {} : { minDiskGiB: minDisk }),
  };
}

/** `debian-12` for `/x/Debian_12.qcow2`. */
function nameOf(path: string): string {
  const name = basename(path).split('?')[0] ?? '';
  const stem = name.replace(/\.(qcow2|img|raw)$/i, '').toLowerCase();
  return stem.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '');
}
