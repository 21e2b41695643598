import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Vm } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { ImageClient } from '../../cli/src/client/image-client.ts';
import { gluster } from '../../cli/src/supervisor/gluster.ts';
import { layoutOn, placeOf } from '../../cli/src/supervisor/shared-storage.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { countReads } from '../support/bytes-read.ts';
import { largeMicroImage } from '../support/large-image.ts';
import { type RealFactory, startRealFactory } from '../support/real-factory.ts';

/**
 * A batch of ten from an image of 1 GB that is not on the host yet, on a real GlusterFS: the image is
 * uploaded, brought into the cluster, and read from GlusterFS once, by its helpers' count and by that of
 * its brick; then the host is warm, and the image stage of a machine takes less than 100 ms, by the times
 * that the API tells.
 */
const GB = 1_000_000_000;
const COUNT = 10;
const FILLER_MIB = 960;
const BROUGHT_TIMEOUT_MS = 300_000;
const SIZE = ['--image', 'large', '--memory', '128', '--disk', '2', '--wait', '--timeout', '900'];

const folder = await mkdtemp(join(tmpdir(), 'image-1gb-'));
const factory = await startRealFactory('--shared-storage', 'gluster');
const place = { ...placeOf(factory.layout), clock: systemClock };
try {
  await prove(factory);
} finally {
  await factory.remove();
  await rm(folder, { recursive: true, force: true });
}

async function prove({ layout: plain, client, run }: RealFactory): Promise<void> {
  const layout = layoutOn(plain, 'gluster');
  const path = join(folder, 'large.qcow2');
  const sizeBytes = await largeMicroImage(layout, path, FILLER_MIB);
  expectThat('the image has 1 GB', sizeBytes >= GB, `${sizeBytes} bytes`);
  const facts = ['--name', 'large', '--timeout', '900'];
  const imported = await timed(() => run('image', 'import', path, ...facts));
  console.log(`       upload and import of ${sizeBytes} bytes: ${imported.seconds.toFixed(1)} s`);
  const [version] = (await new ImageClient(client).get('large')).versions;
  const isCold = version?.clusters.every(({ hosts }) => hosts.length === 0);
  expectThat('no host has it yet', isCold === true);

  await gluster(place, 'volume', 'profile', 'factory', 'start');
  await forgetCached(layout.images, version?.version);
  const counting = countReads(layout);
  const count = ['--count', String(COUNT)];
  const batch = await timed(() => run('batch', 'create', '--name', 'ten', ...SIZE, ...count));
  const { helperBytes, others } = await counting.stop();
  const running = (await client.vms({})).filter(({ state }) => state === 'running').length;
  expectThat('ten machines are running', running === COUNT, `${running} are`);
  console.log(`       the batch of ten: ${batch.seconds.toFixed(1)} s`);
  const brickBytes = await bytesReadOfBrick();
  await gluster(place, 'volume', 'profile', 'factory', 'stop');
  figure('times that the image was read, by the helpers', helperBytes / sizeBytes, 'x', 1.05);
  figure('times that it was read, by the brick', brickBytes / sizeBytes, 'x', 1.05);
  expectThat('nobody but helpers reads there', others.length === 0, others.join('; '));

  await run('batch', 'create', '--name', 'warm', ...SIZE, '--count', '1');
  const warm = (await client.vms({})).find(({ batchName }) => batchName === 'warm');
  figure('image stage on the warm host, by the API', imageStageMs(warm), 'ms', 100);
}

/** This machine has just written it: what it has of it in memory would be read instead of GlusterFS. */
async function forgetCached(images: string, version: string | null | undefined): Promise<void> {
  const path = await waitFor(systemClock, 'the image in the cluster', BROUGHT_TIMEOUT_MS, () =>
    readdirSync(images, { recursive: true, encoding: 'utf8' }).find((name) =>
      name.endsWith(`${version}.qcow2`),
    ),
  );
  const drop = [`if=${join(images, path)}`, 'iflag=nocache', 'count=0', 'status=none'];
  execFileSync('dd', drop);
}

/** What the brick has given out since its profile was started. */
async function bytesReadOfBrick(): Promise<number> {
  const profile = await gluster(place, 'volume', 'profile', 'factory', 'info', 'cumulative');
  return Number(/Data Read: (\d+) bytes/.exec(profile)?.[1] ?? Number.NaN);
}

/** From the executor's taking over to the disk on top of the image. */
function imageStageMs(vm: Vm | undefined): number {
  const { taken, image } = vm?.timeline ?? {};
  return taken === undefined || image === undefined ? Number.NaN : image - taken;
}
