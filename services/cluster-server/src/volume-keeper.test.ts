import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VolumeId } from '@factory/contracts';
import { createStorageHelper, silentLogger, systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVolumeKeeper, type VolumeKeeper } from './volume-keeper.ts';

const id = (number: number) => `vol_${String(number).padStart(32, '0')}` as VolumeId;
const WAIT_MS = 20_000;

describe("the keeper of a cluster's volumes", () => {
  const clock = systemClock;
  const helper = createStorageHelper({ clock, logger: silentLogger });
  let folder: string;
  let keeper: VolumeKeeper | undefined;
  const start = (): VolumeKeeper => {
    keeper = createVolumeKeeper({ clock, logger: silentLogger, helper, folder });
    return keeper;
  };
  const seen = (what: VolumeKeeper) =>
    waitFor(clock, 'a look', WAIT_MS, () => what.usage() ?? undefined);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'factory-keeper-'));
    for (const number of [1, 2]) await mkdir(join(folder, id(number), 'data'), { recursive: true });
    await writeFile(join(folder, id(1), 'data/a'), Buffer.alloc(1 << 20, 1));
  });
  afterEach(async () => {
    keeper?.close();
    await rm(folder, { recursive: true });
  });

  it('measures them, and removes those that are dropped', async () => {
    await writeFile(join(folder, '.factory-volumes'), '');
    await mkdir(join(folder, `.dropped-${id(3)}`));
    const usage = await seen(start());
    expect(usage.map(({ volumeId }) => volumeId).toSorted()).toEqual([id(1), id(2)]);
    expect(usage.find(({ volumeId }) => volumeId === id(1))?.usedBytes).toBeGreaterThan(1 << 20);
    keeper?.drop([id(1), id(9)]);
    expect(keeper?.usage()).toBeUndefined();
    const after = await seen(keeper ?? start());
    expect(after.map(({ volumeId }) => volumeId)).toEqual([id(2)]);
    expect((await readdir(folder)).toSorted()).toEqual(['.factory-volumes', '.usage.json', id(2)]);
    expect(JSON.parse(await readFile(join(folder, '.usage.json'), 'utf8'))).toEqual(after);
  });

  it('says nothing of an empty mount point, and removes nothing there', async () => {
    const lost = start();
    lost.drop([id(1)]);
    await expect(waitFor(clock, 'a look', 1_500, () => lost.usage())).rejects.toThrow();
    expect((await readdir(folder)).toSorted()).toEqual([id(1), id(2)]);
  });
});
