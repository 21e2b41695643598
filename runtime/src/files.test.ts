import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BadJsonFileError,
  readJsonIfExists,
  removeCutOffWrites,
  writeFileAtomic,
} from './files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'files-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('writeFileAtomic', () => {
  it('replaces the content, with exactly the mode it is given', async () => {
    const path = join(directory, 'state.json');
    await writeFile(path, 'old');
    await writeFileAtomic(path, 'new', { mode: 0o666 });
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o666);
    await writeFileAtomic(path, Buffer.from('newer'));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('shows a reader no part of a write, and leaves nothing beside it', async () => {
    const path = join(directory, 'state.json');
    const contents = ['a'.repeat(200_000), 'b'.repeat(200_000)];
    await writeFileAtomic(path, 'a'.repeat(200_000));
    const writes = contents.concat(contents).map((each) => writeFileAtomic(path, each));
    for (let n = 0; n < 20; n += 1) expect(contents).toContain(await readFile(path, 'utf8'));
    await Promise.all(writes);
    expect(await readdir(directory)).toEqual(['state.json']);
  });

  it('cleans up when it fails', async () => {
    await expect(writeFileAtomic(join(directory, 'no', 'file'), 'x')).rejects.toThrow('ENOENT');
    await expect(writeFileAtomic(directory, 'x')).rejects.toThrow();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('readJsonIfExists', () => {
  it('gives the value, undefined without a file, and an error that names a bad one', async () => {
    const path = join(directory, 'x.json');
    expect(await readJsonIfExists(path)).toBeUndefined();
    await writeFile(path, '{"a":[1]}');
    expect(await readJsonIfExists(path)).toEqual({ a: [1] });
    await writeFile(path, '{"a":');
    await expect(readJsonIfExists(path)).rejects.toThrow(BadJsonFileError);
    await expect(readJsonIfExists(path)).rejects.toThrow(path);
  });
});

describe('removeCutOffWrites', () => {
  it('removes what writeFileAtomic leaves when it is killed, and nothing else', async () => {
    const cutOff = '.state.json.0199a0b0-7c3d-4e5f-8a9b-0123456789ab.tmp';
    const others = ['.hidden', '.mine.tmp', 'state.json', `state.json${cutOff}`].sort();
    for (const name of [...others, cutOff]) await writeFile(join(directory, name), '');
    await removeCutOffWrites(directory);
    expect((await readdir(directory)).sort()).toEqual(others);
    await removeCutOffWrites(join(directory, 'none'));
  });
});
