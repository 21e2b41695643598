import { type Clock, waitFor } from '@factory/runtime';
import { Command } from 'commander';
import { type Image, ImageClient, type StageWish } from '../client/image-client.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import { withClient } from './context.ts';
import { collect, dataOption, timeoutOption } from './options.ts';

interface StageOptions {
  readonly data?: string;
  readonly cluster?: readonly string[];
  readonly host?: readonly string[];
  readonly wait?: true;
  readonly timeout: number;
}

const POLL_MS = 500;

/** `./factory image stage` */
export function stageCommand(): Command {
  return new Command('stage')
    .description('bring an image to hosts before machines ask for it')
    .argument('<image>', 'its name, or name@version')
    .option('--cluster <name>', 'only there (may be repeated)', collect)
    .option('--host <name>', 'only there (may be repeated)', collect)
    .option('--wait', 'wait until the hosts have it')
    .addOption(timeoutOption(1800))
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  ./factory image stage debian --host host-1 --wait')
    .action(async (image: string, options: StageOptions) => {
      await withClient(options, async ({ client, clock }) => {
        await stage(new ImageClient(client), clock, image, options);
      });
    });
}

async function stage(
  images: ImageClient,
  clock: Clock,
  image: string,
  { cluster, host, wait, timeout }: StageOptions,
): Promise<void> {
  const [name = '', version] = image.split('@', 2);
  const wish: StageWish = {
    ...(version === undefined ? {} : { version }),
    ...(cluster === undefined ? {} : { clusters: cluster }),
    ...(host === undefined ? {} : { hosts: host }),
  };
  const stages = await images.stage(name, wish);
  const progress = createProgress(clock);
  if (stages.length === 0) throw new Error(`No cluster has ${image} yet, so no host can get it.`);
  if (wait !== true) {
    progress.done(`${image} is brought to hosts: ./factory image show ${name}`);
    return;
  }
  const timeoutMs = timeout * 1000;
  await waitFor(
    clock,
    `${image} on the hosts`,
    timeoutMs,
    async () => {
      const places = (await images.get(name)).places.filter((place) =>
        stages.some((each) => each.cluster === place.cluster && each.version === place.version),
      );
      return isDone(places, host, progress) ? true : undefined;
    },
    POLL_MS,
  );
  progress.done(`${image} is there`);
}

type Place = Image['places'][number];

/** Whether those hosts have it that were named, or all that speak of it. */
function isDone(
  places: readonly Place[],
  wanted: readonly string[] | undefined,
  progress: Progress,
): boolean {
  const hosts = places.flatMap((place) => place.hosts);
  const meant = hosts.filter(({ hostName }) => wanted?.includes(hostName) ?? true);
  const warm = meant.filter(({ percent }) => percent === 100);
  const going = meant
    .filter(({ percent }) => percent < 100)
    .map(({ hostName, percent }) => `${hostName} ${percent} %`);
  progress.step([`${warm.length} of ${wanted?.length ?? meant.length} hosts`, ...going].join(', '));
  const isAll = wanted === undefined ? meant.length > 0 : warm.length >= wanted.length;
  return isAll && going.length === 0;
}
