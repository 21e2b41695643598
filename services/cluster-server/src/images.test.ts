import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readImageNames } from './images.ts';

it('an image is a disk with a manifest; a missing folder has none', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  try {
    for (const file of ['micro.json', 'micro.qcow2', 'half.json', 'other.qcow2', 'notes.txt']) {
      await writeFile(join(directory, file), '');
    }
    expect(await readImageNames(directory)).toEqual(['micro']);
    expect(await readImageNames(join(directory, 'missing'))).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
