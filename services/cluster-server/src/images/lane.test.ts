import { createHash, randomBytes } from 'node:crypto';
import {
  type ClusterImage,
  type ImageId,
  type ImageManifest,
  type ImageStage,
  type ImagesAnswer,
  type ProjectId,
  projectImageFolder,
  type VmId,
  type WantedImage,
} from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { ImageLane } from './lane.ts';
import { createImageReader, imageHere } from './reader.ts';
import { createMemoryImageShelf, simulatedImage } from './shelf.ts';

const PART = 1_000;

function wantedOf(content: Buffer, name: string): WantedImage {
  const version = createHash('sha256').update(content).digest('hex');
  const folder = projectImageFolder('prj_1', name);
  const manifest = simulatedImage(folder, { version, sizeBytes: content.length });
  return { id: `img_${'1'.repeat(32)}` as ImageId, manifest };
}

/** A lane between an api-server and a vm-scheduler that the test plays. */
function setUp(content: Buffer, own: readonly ImageManifest[] = []) {
  const clock = new VirtualClock();
  const shelf = createMemoryImageShelf(own);
  const told: (readonly ClusterImage[])[] = [];
  const staged: ImageStage[] = [];
  const world = {
    answer: { wanted: [], dropped: [], stages: [] } as ImagesAnswer,
    offsets: [] as number[],
    sent: [] as Buffer[],
    /** Parts that fail before one comes through. */
    failures: 0,
    isLinked: true,
  };
  const parts = {
    ...{ clock, random: seededRandom(1), logger: silentLogger, shelf },
    exchange: async (images: readonly ClusterImage[]) => {
      if (!world.isLinked) return undefined;
      told.push(images);
      return world.answer;
    },
    fetchPart: async (_id: string, offset: number) => {
      world.offsets.push(offset);
      world.failures -= 1;
      if (world.failures >= 0) throw new Error('cut');
      return content.subarray(offset, offset + PART);
    },
    sendPart: async (_id: string, offset: number, bytes: Uint8Array) => {
      world.sent.push(Buffer.from(bytes));
      world.failures -= 1;
      if (world.failures >= 0) throw new Error('cut');
      return offset + bytes.length;
    },
    readHosts: async () => new Map([['a'.repeat(64), [{ hostName: 'host-1', percent: 40 }]]]),
    stage: async (stages: readonly ImageStage[]) => {
      staged.push(...stages);
    },
  };
  const start = () => {
    const readImages = async () => (await shelf.all()).map(imageHere);
    const reader = createImageReader({ clock, logger: silentLogger, readImages });
    const lane = new ImageLane({ ...parts, reader });
    lane.start();
    return lane;
  };
  const until = (isIt: (images: readonly ClusterImage[]) => boolean, what: string) =>
    clock.runUntil(() => isIt(told.at(-1) ?? []), 120_000, what);
  return { clock, shelf, told, staged, world, start, until };
}

describe("the images' lane of the link", () => {
  const content = randomBytes(3_500);
  const wanted = wantedOf(content, 'web');
  const isReady = (images: readonly ClusterImage[]): boolean =>
    images.some(({ version, state }) => version === wanted.manifest.version && state === 'ready');

  it('brings what is wanted here part by part, and says so', async () => {
    const { world, start, until, shelf } = setUp(content, [simulatedImage('micro')]);
    world.answer = { ...world.answer, wanted: [wanted] };
    start();
    await until(isReady, 'the image');
    expect(world.offsets).toEqual([0, 1_000, 2_000, 3_000]);
    expect(await shelf.all()).toContainEqual(wanted.manifest);
  });

  it('tells all of what was made of machines, and only of that', async () => {
    const madeOf = { projectId: 'prj_1' as ProjectId, vmId: 'vm_1' as VmId };
    const made = simulatedImage(projectImageFolder('prj_1', 'taken'), { madeOf });
    const { start, until, told } = setUp(content, [simulatedImage('micro'), made]);
    start();
    await until((images) => images.length === 2, 'both');
    expect(told[0]?.map((each) => each.made)).toEqual([undefined, made]);
  });

  it('says why it does not come, and goes on when it can', async () => {
    const { world, start, until } = setUp(content);
    world.answer = { ...world.answer, wanted: [wanted] };
    world.failures = 1;
    start();
    await until(([image]) => image?.state === 'failed' && image.message === 'cut', 'the failure');
    await until(isReady, 'the image');
  });

  it('goes on after a restart with what has arrived', async () => {
    const { world, start, until, shelf } = setUp(content);
    await shelf.writePartial(wanted.manifest, 0, content.subarray(0, 2_000));
    world.answer = { ...world.answer, wanted: [wanted] };
    start();
    await until(isReady, 'the image');
    expect(world.offsets).toEqual([2_000, 3_000]);
  });

  it('begins anew when what arrived is not what was sent', async () => {
    const { world, start, until, shelf } = setUp(content);
    await shelf.writePartial(wanted.manifest, 0, Buffer.alloc(2_000));
    world.answer = { ...world.answer, wanted: [wanted] };
    start();
    await until(([image]) => image?.message?.includes('not what was sent') === true, 'the failure');
    await until(isReady, 'the image');
  });

  it('removes what is named as deleted, and never what is only not spoken of', async () => {
    const micro = simulatedImage('micro');
    const other = wantedOf(randomBytes(10), 'other').manifest;
    const { world, start, until, shelf } = setUp(content, [micro, wanted.manifest, other]);
    const { version } = wanted.manifest;
    world.answer = {
      ...world.answer,
      dropped: [
        { name: wanted.manifest.name, version },
        { name: 'micro', version: micro.version },
      ],
    };
    start();
    await until((images) => images.length === 2, 'the end of it');
    expect(await shelf.all()).toEqual([micro, other]);
  });

  it('tells what hosts have, and passes on what they should have', async () => {
    const { world, start, until, staged } = setUp(content, [simulatedImage('micro')]);
    const stage = { name: 'micro', version: 'a'.repeat(64), hostNames: ['host-1'] };
    world.answer = { ...world.answer, stages: [stage] };
    start();
    await until(([image]) => image?.hosts[0]?.percent === 40, 'the hosts');
    expect(staged[0]).toEqual(stage);
  });

  it('goes no faster than it may', async () => {
    const { world, start, until, clock } = setUp(content);
    world.answer = { ...world.answer, wanted: [wanted], bytesPerSecond: 100 };
    const startMs = clock.monotonicMs();
    start();
    await until(isReady, 'the image');
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(35_000);
  });

  it('sends up what others are to have, and goes on where it broke off', async () => {
    const { world, start, clock, shelf } = setUp(content);
    await shelf.writePartial(wanted.manifest, 0, content);
    await shelf.publish(wanted.manifest);
    const { name, version } = wanted.manifest;
    const upload = { id: wanted.id, name, version, offset: 500 };
    world.answer = { ...world.answer, uploads: [upload] };
    world.failures = 1;
    start();
    await clock.runUntil(() => world.sent.length > 1, 60_000, 'the upload');
    expect(world.sent.every((each) => each.equals(content.subarray(500)))).toBe(true);
  });
});
