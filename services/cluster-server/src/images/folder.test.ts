import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { createStorageHelper, silentLogger, systemClock } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImages } from './folder.ts';

function manifest(name: string, digit: string, createdAtMs: number): ImageManifest {
  return {
    ...{ name, version: digit.repeat(64), format: 'qcow2', sizeBytes: 1, virtualSizeBytes: 512 },
    ...{ os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 96, minDiskGiB: 1 },
    createdAtMs,
  };
}

describe("a cluster's images", () => {
  const helper = createStorageHelper({ clock: systemClock, logger: silentLogger });
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'images-'));
  });
  afterAll(async () => {
    helper.close();
    await rm(folder, { recursive: true });
  });
  const write = async (name: string, file: string, content: unknown): Promise<void> => {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, file), JSON.stringify(content));
  };

  it('are those with a manifest, in all versions, each read once', async () => {
    expect(await readImages(helper, join(folder, 'missing'))).toEqual([]);
    const [older, newer] = [manifest('micro', 'f', 1), manifest('micro', 'a', 2)];
    await write('micro', `${older.version}.json`, older);
    await write('micro', `${newer.version}.json`, newer);
    await write('micro', `${'b'.repeat(64)}.json`, { name: 'micro' });
    await write('debian-12', `${'c'.repeat(64)}.json`, manifest('debian-12', 'c', 1));
    await write('half', 'c.qcow2', '');
    await write('stranger', `${'c'.repeat(64)}.json`, manifest('another', 'c', 1));
    await writeFile(join(folder, 'micro.json'), '{}');
    const images = await readImages(helper, folder);
    expect(images).toEqual([manifest('debian-12', 'c', 1), newer, older]);
    await write('micro', `${older.version}.json`, { name: 'nobody reads this again' });
    expect(await readImages(helper, folder, images)).toEqual(images);
  });
});
