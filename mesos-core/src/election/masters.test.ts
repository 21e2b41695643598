import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError, silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { openMasters } from './masters.ts';

const world = { clock: systemClock, random: systemRandom, logger: silentLogger };

describe('what names the masters', () => {
  it('may be a list, with and without scheme', () => {
    const { list, detector } = openMasters('a:5050, https://b:5050', world);
    expect(list).toEqual(['http://a:5050', 'https://b:5050']);
    expect(detector).toBeUndefined();
  });

  it('may be a ZooKeeper, which is asked', async () => {
    const { list, detector, candidates, close } = openMasters('zk://127.0.0.1:1/mesos', world);
    expect(list).toEqual([]);
    expect(candidates()).toEqual([]);
    expect(detector?.leader).toBeUndefined();
    await close();
  });

  it('may be in a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'masters-'));
    const file = join(directory, 'masters');
    await writeFile(file, 'http://a:5050,b:5050\n');
    const { candidates } = openMasters(`file://${file}`, world);
    expect(candidates()).toEqual(['http://a:5050', 'http://b:5050']);
    await rm(directory, { recursive: true });
    const missing = () => openMasters(`file://${file}`, { ...world, setting: 'THE_MASTERS' });
    expect(missing).toThrow(/THE_MASTERS: ENOENT/);
  });

  it.each(['ftp://a', '', 'a:b', 'zk://a:2181', 'zk://a/m,b:5050 c'])('is not %s', (text) => {
    expect(() => openMasters(text, world)).toThrow(SettingsError);
  });
});
