import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Vm } from '@factory/contracts';
import { ImageClient } from '../../cli/src/client/image-client.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { countReads } from '../support/bytes-read.ts';
import { largeMicroImage } from '../support/large-image.ts';
import { type RealFactory, startRealFactory } from '../support/real-factory.ts';

/**
 * A batch of ten from an image of 1 GB that is not on the host yet: the image is uploaded, brought
 * into the cluster, and read from the folder of images once; then the host is warm, and the image
 * stage of a machine takes less than 100 ms, by the times that the API tells. The folder is a plain
 * one, or the one that FACTORY_TEST_IMAGE_MOUNT names: an empty one on the storage to be proved.
 */
const GB = 1_000_000_000;
const COUNT = 10;
const FILLER_MIB = 960;
const SIZE = ['--image', 'large', '--memory', '128', '--disk', '2', '--wait', '--timeout', '900'];

const mount = process.env.FACTORY_TEST_IMAGE_MOUNT;
const folder = await mkdtemp(join(tmpdir(), 'image-1gb-'));
const factory = await startRealFactory();
try {
  if (mount !== undefined) putOn(mount, factory.layout.images);
  await prove(factory);
} finally {
  if (mount !== undefined) execFileSync('umount', [factory.layout.images]);
  await factory.remove();
  await rm(folder, { recursive: true, force: true });
}

async function prove({ layout, client, run }: RealFactory): Promise<void> {
  const path = join(folder, 'large.qcow2');
  const sizeBytes = await largeMicroImage(layout, path, FILLER_MIB);
  expectThat('the image has 1 GB', sizeBytes >= GB, `${sizeBytes} bytes`);
  const facts = ['--name', 'large', '--timeout', '900'];
  const imported = await timed(() => run('image', 'import', path, ...facts));
  console.log(`       upload and import of ${sizeBytes} bytes: ${imported.seconds.toFixed(1)} s`);
  const [version] = (await new ImageClient(client).get('large')).versions;
  const isCold = version?.clusters.every(({ hosts }) => hosts.length === 0);
  expectThat('no host has it yet', isCold === true);

  const counting = countReads(layout);
  const count = ['--count', String(COUNT)];
  const batch = await timed(() => run('batch', 'create', '--name', 'ten', ...SIZE, ...count));
  const { helperBytes, others } = await counting.stop();
  const running = (await client.vms({})).filter(({ state }) => state === 'running').length;
  expectThat('ten machines are running', running === COUNT, `${running} are`);
  console.log(`       the batch of ten: ${batch.seconds.toFixed(1)} s`);
  figure('times that the image was read from its folder', helperBytes / sizeBytes, 'x', 1.05);
  expectThat('nobody but helpers reads there', others.length === 0, others.join('; '));

  await run('batch', 'create', '--name', 'warm', ...SIZE, '--count', '1');
  const warm = (await client.vms({})).find(({ batchName }) => batchName === 'warm');
  figure('image stage on the warm host, by the API', imageStageMs(warm), 'ms', 100);
}

/** Puts the folder of images onto the storage to be proved, with what is in it. */
function putOn(storage: string, images: string): void {
  execFileSync('cp', ['-a', `${images}/.`, storage]);
  execFileSync('mount', ['--bind', storage, images]);
}

/** From the executor's taking over to the disk on top of the image. */
function imageStageMs(vm: Vm | undefined): number {
  const { taken, image } = vm?.timeline ?? {};
  return taken === undefined || image === undefined ? Number.NaN : image - taken;
}
