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
    const { list, detector, close } = openMasters('zk://127.0.0.1:1/mesos', world);
    expect(list).toEqual([]);
    expect(detector?.leader).toBeUndefined();
    await close();
  });

  it.each(['ftp://a', '', 'a:b', 'zk://a:2181', 'zk://a/m,b:5050 c'])('is not %s', (text) => {
    expect(() => openMasters(text, world)).toThrow(SettingsError);
  });
});
