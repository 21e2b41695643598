import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isNested } from '../isolators/isolator.ts';
import { RuntimeDirectory } from './runtime-directory.ts';

let runtime: RuntimeDirectory;

beforeEach(async () => {
  runtime = new RuntimeDirectory(await mkdtemp(join(tmpdir(), 'runtime-')));
});

afterEach(() => rm(runtime.path, { recursive: true }));

describe('the record of a container', () => {
  it('is what was written, infinite limits too', async () => {
    await runtime.create('a');
    const record = {
      ...{ key: 'a', containerId: 'a', frameworkId: 'f', executorId: 'e', directory: '/d' },
      ...{ user: undefined, resources: [], limits: { cpus: Infinity } },
    };
    await runtime.writeRecord(record);
    expect(await runtime.readRecord('a')).toEqual(record);
  });

  it.each(['missing', 'torn'])('that is %s still says what it is nested in', async (how) => {
    await runtime.create('a.b.c');
    if (how === 'torn') await writeFile(join(runtime.of('a.b.c'), 'container.json'), '{"key":');
    const record = await runtime.readRecord('a.b.c');
    expect(record).toMatchObject({ key: 'a.b.c', containerId: 'c', parentContainerId: 'a.b' });
    expect(isNested(record)).toBe(true);
    expect(isNested(await runtime.readRecord('a'))).toBe(false);
  });
});
