import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@factory/runtime';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Change,
  CheckpointClosedError,
  CheckpointCorruptError,
  type CheckpointStore,
} from './checkpoint-store.ts';
import { createFileCheckpointStore } from './file-store.ts';
import { createMemoryDisk } from './memory-store.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const openFile = (options: { strict?: boolean; compactAboveBytes?: number } = {}) =>
  createFileCheckpointStore({ directory, logger: silentLogger, ...options });

function adapters(): readonly { readonly name: string; readonly open: () => CheckpointStore }[] {
  const disk = createMemoryDisk();
  return [
    { name: 'file', open: () => openFile() },
    { name: 'file that compacts all the time', open: () => openFile({ compactAboveBytes: 0 }) },
    { name: 'memory', open: () => disk.open() },
  ];
}

const changes = fc.array(
  fc.tuple(
    fc.constantFrom('a', 'b', 'task/ü%2F/1', 'd'),
    fc.option(fc.jsonValue(), { nil: undefined, freq: 3 }),
  ),
  { maxLength: 5 },
);

for (const { name, open } of adapters()) {
  describe(`checkpoint store: ${name}`, () => {
    it('gives back what was committed, in the order of the calls, after any number of reopenings', async () => {
      const lives = fc.array(fc.array(changes, { maxLength: 6 }), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(lives, async (commitsOfLives) => {
          await rm(directory, { recursive: true, force: true });
          await clear(open());
          const expected = new Map<string, unknown>();
          for (const commits of commitsOfLives) {
            const store = open();
            expect(sorted(await store.load())).toEqual(sorted(expected));
            // All at once: the order of the calls counts, not who is awaited first.
            await Promise.all(commits.map((commit) => store.commit(commit)));
            for (const commit of commits) apply(expected, commit);
            await store.close();
          }
          const last = open();
          expect(sorted(await last.load())).toEqual(sorted(expected));
          await last.close();
        }),
        { numRuns: 25 },
      );
    });

    it('refuses commits when closed', async () => {
      const store = open();
      await store.load();
      await store.close();
      await expect(store.commit([['a', 1]])).rejects.toThrow(CheckpointClosedError);
    });
  });
}

async function clear(store: CheckpointStore): Promise<void> {
  const values = await store.load();
  await store.commit(Array.from(values.keys(), (key) => [key, undefined]));
  await store.close();
}

function apply(values: Map<string, unknown>, commit: readonly Change[]): void {
  for (const [key, value] of commit) {
    if (value === undefined) values.delete(key);
    else values.set(key, JSON.parse(JSON.stringify(value)));
  }
}

function sorted(values: ReadonlyMap<string, unknown>): readonly unknown[] {
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('file checkpoint store', () => {
  const journal = (): string => join(directory, 'journal');

  it('cut off at any byte, has all commits before the cut and none after', async () => {
    const store = openFile();
    await store.load();
    const ends: number[] = [0];
    for (let index = 0; index < 5; index += 1) {
      await store.commit([[`key-${index}`, { text: 'ä'.repeat(index) }]]);
      ends.push((await stat(journal())).size);
    }
    await store.close();
    const bytes = await readFile(journal());
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      await writeFile(journal(), bytes.subarray(0, cut));
      const reopened = openFile();
      const whole = ends.filter((end) => end > 0 && end <= cut).length;
      expect((await reopened.load()).size).toBe(whole);
      await reopened.commit([['after', true]]);
      await reopened.close();
    }
  });

  it('drops a last record whose end is on the disk and whose middle is not', async () => {
    const store = openFile();
    await store.load();
    await store.commit([['a', 1]]);
    await store.close();
    await appendFile(journal(), `${'\0'.repeat(40)}\n`);
    const reopened = openFile();
    expect([...(await reopened.load())]).toEqual([['a', 1]]);
    await reopened.close();
  });

  it('refuses a journal that is damaged in the middle, unless it is told not to be strict', async () => {
    const store = openFile();
    await store.load();
    for (const key of ['a', 'b', 'c']) await store.commit([[key, 'value']]);
    await store.close();
    const bytes = await readFile(journal());
    const middle = bytes.indexOf('"b"');
    bytes.writeUInt8('x'.charCodeAt(0), middle + 1);
    await writeFile(journal(), bytes);
    await expect(openFile().load()).rejects.toThrow(CheckpointCorruptError);
    const lenient = openFile({ strict: false });
    expect([...(await lenient.load()).keys()]).toEqual(['a']);
    await lenient.close();
    expect((await stat(`${journal()}.damaged`)).size).toBe(bytes.length);
  });

  it('stays small although values are written over and over', async () => {
    const store = openFile({ compactAboveBytes: 2000 });
    await store.load();
    for (let index = 0; index < 300; index += 1) await store.commit([['a', index]]);
    expect((await stat(journal())).size).toBeLessThan(4000);
    await store.close();
    const reopened = openFile();
    expect((await reopened.load()).get('a')).toBe(299);
    await reopened.close();
  });

  it('fails every commit after one that could not be written', async () => {
    const store = openFile({ compactAboveBytes: 0 });
    await store.load();
    await store.commit([['a', 0]]);
    await rm(directory, { recursive: true });
    await expect(store.commit([['a', 1]])).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(store.commit([['b', 1]])).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
