import { describe, expect, it } from 'vitest';
import { FetchError } from './fetch-error.ts';
import { archiveKindOf, readUri } from './uri.ts';

describe('a URI to fetch', () => {
  it.each([
    ['http://host:81/a/b.tgz', { kind: 'http', url: 'http://host:81/a/b.tgz' }, 'b.tgz'],
    ['https://host/x?y=1', { kind: 'http', url: 'https://host/x?y=1' }, 'x?y=1'],
    ['file:///opt/tool', { kind: 'file', path: '/opt/tool' }, 'tool'],
    ['/opt/tool', { kind: 'file', path: '/opt/tool' }, 'tool'],
    ['tools/run.sh', { kind: 'file', path: '/home/fw/tools/run.sh' }, 'run.sh'],
  ])('%s is found and named', (value, source, outputFile) => {
    expect(readUri({ value }, '/home/fw')).toMatchObject({ source, outputFile });
  });

  it.each(['', 'hdfs://host/file', 'http://host', 'http://host/', 'file://', '/', '/a/..'])(
    'is refused when it is %j',
    (value) => {
      expect(() => readUri({ value }, '/home/fw')).toThrow(FetchError);
    },
  );

  it('may be relative only where the agent has a frameworks_home', () => {
    expect(() => readUri({ value: 'tool' }, undefined)).toThrow(/frameworks_home is not set/);
  });

  it('is put under another name on demand, but never outside of the sandbox', () => {
    const outputOf = (output_file: string) => readUri({ value: '/a', output_file }, '').outputFile;
    expect(outputOf('dir/name')).toBe('dir/name');
    for (const bad of ['../name', '/etc/passwd', 'a/../../b', '', '.', 'a/', 'a\0b']) {
      expect(() => outputOf(bad), bad).toThrow(FetchError);
    }
  });

  it('is unpacked by its ending, unless it is executable or nobody wants that', () => {
    expect(readUri({ value: '/a.tar.gz' }, '').archive).toBe('tar');
    expect(readUri({ value: '/a.tar.gz', extract: false }, '').archive).toBeUndefined();
    expect(readUri({ value: '/a.tar.gz', executable: true }, '').archive).toBeUndefined();
    expect(readUri({ value: '/a?x', output_file: 'a.zip' }, '').archive).toBe('zip');
    const kinds = ['a.tgz', 'a.tbz2', 'a.txz', 'a.tar.xz', 'a.gz', 'a.jar', '.gz'].map(
      archiveKindOf,
    );
    expect(kinds).toEqual(['tar', 'tar', 'tar', 'tar', 'gzip', undefined, undefined]);
  });

  it('may carry its checksum', () => {
    const sha256 = 'AB'.repeat(32);
    expect(readUri({ value: `http://h/a#sha256=${sha256}` }, '')).toMatchObject({
      source: { url: 'http://h/a' },
      outputFile: 'a',
      sha256: sha256.toLowerCase(),
    });
  });
});
