import { describe, expect, it } from 'vitest';
import { isZooKeeperUrl, parseZooKeeperUrl } from './url.ts';

describe('a zk:// URL', () => {
  it('names servers and a path', () => {
    expect(parseZooKeeperUrl('zk://a:2181,10.0.0.2:2182,[::1]:2183,d/mesos/one/')).toEqual({
      servers: [
        { host: 'a', port: 2181 },
        { host: '10.0.0.2', port: 2182 },
        { host: '::1', port: 2183 },
        { host: 'd', port: 2181 },
      ],
      credential: undefined,
      path: '/mesos/one',
    });
  });

  it('may carry a credential', () => {
    expect(parseZooKeeperUrl('zk://user:p@ss:w@a/mesos')).toMatchObject({
      ...{ credential: 'user:p@ss:w', path: '/mesos', servers: [{ host: 'a', port: 2181 }] },
    });
  });

  it.each([
    'zk://a:2181',
    'zk://a:2181/',
    'zk:///mesos',
    'zk://user@a/mesos',
    'zk://a:0/m',
    'http://a/m',
  ])('is not %s', (text) => {
    expect(() => parseZooKeeperUrl(text)).toThrow(/zk:\/\//);
  });

  it('never shows its credential in an error', () => {
    expect(() => parseZooKeeperUrl('zk://user:secret@a:x/mesos')).not.toThrow(/secret/);
  });

  it('is told from a list of masters', () => {
    expect(isZooKeeperUrl('zk://a/m')).toBe(true);
    expect(isZooKeeperUrl('10.0.0.1:5050,10.0.0.2:5050')).toBe(false);
  });
});
