import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseImageManifest } from '@factory/contracts';
import { createStorageHelper, inspectStart, silentLogger, systemClock } from '@factory/runtime';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ImageFacts, importImage } from './import.ts';

const FACTS: ImageFacts = {
  ...{ name: 'mine', os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 128 },
};

describe('importing an image from a file', () => {
  const helper = createStorageHelper({ clock: systemClock, logger: silentLogger });
  let root: string;
  let source: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'image-import-'));
    source = join(root, 'upload');
  });
  afterEach(() => rm(root, { recursive: true }));
  afterAll(() => helper.close());

  const qemuImg = (...args: readonly string[]): void => {
    execFileSync('qemu-img', args, { stdio: 'ignore' });
  };
  const create = (...options: readonly string[]): void =>
    qemuImg('create', '-f', 'qcow2', ...options, source, '16M');
  const run = (changes: Partial<ImageFacts> = {}) => {
    const where = { folder: join(root, 'images'), sizeBytesMax: 1 << 30 };
    return importImage({ clock: systemClock, helper, ...where }, source, { ...FACTS, ...changes });
  };
  const published = (): Promise<string[]> => readdir(join(root, 'images/mine'));
  /** The upload, with some bytes of its own in it. */
  const breakAt = async (offset: number, bytes: readonly number[]): Promise<void> => {
    const content = await readFile(source);
    content.set(bytes, offset);
    await writeFile(source, content);
  };

  it('publishes a sound qcow2 file under its sum, once', async () => {
    create();
    const manifest = await run();
    expect(manifest).toMatchObject({ format: 'qcow2', virtualSizeBytes: 16 << 20, minDiskGiB: 1 });
    const { version } = manifest;
    expect((await published()).sort()).toEqual([`${version}.json`, `${version}.qcow2`]);
    const path = join(root, 'images/mine', `${version}.json`);
    const text = await readFile(path, 'utf8');
    expect(parseImageManifest(text)).toEqual(manifest);
    expect((await run()).version).toBe(version);
    expect(await readFile(path, 'utf8')).toBe(text);
    expect(await published()).toHaveLength(2);
  });

  it('takes a raw disk when told that it is one', async () => {
    await writeFile(source, Buffer.alloc(1 << 20));
    expect(await run({ format: 'raw' })).toMatchObject({
      format: 'raw',
      virtualSizeBytes: 1 << 20,
    });
    await expect(run()).rejects.toMatchObject({ refusal: 'UNKNOWN_FORMAT' });
  });

  const hostile: readonly (readonly [string, () => Promise<void> | void])[] = [
    ['BACKING_FILE', () => create('-u', '-b', '/etc/passwd', '-F', 'raw')],
    ['DATA_FILE', () => create('-o', `data_file=${root}/data,data_file_raw=on`)],
    [
      'ENCRYPTED',
      async () => {
        create();
        await breakAt(32, [0, 0, 0, 2]); // crypt_method: LUKS
      },
    ],
    [
      'INTERNAL_SNAPSHOTS',
      () => {
        create();
        qemuImg('snapshot', '-c', 'before', source);
      },
    ],
    ['UNKNOWN_FORMAT', () => qemuImg('create', '-f', 'vmdk', source, '16M')],
    ['UNKNOWN_FORMAT', () => writeFile(source, '#!/bin/sh\n')],
    ['UNKNOWN_FORMAT', () => writeFile(source, '')],
    ['CUT_OFF', () => writeFile(source, Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'))],
    [
      'CUT_OFF',
      async () => {
        create();
        await writeFile(source, (await readFile(source)).subarray(0, 512));
      },
    ],
    [
      'ABSURD_SIZE',
      async () => {
        create();
        // Virtual size: 2^60 bytes.
        await breakAt(24, [0x10, 0, 0, 0, 0, 0, 0, 0]);
      },
    ],
    [
      'ABSURD_SIZE',
      async () => {
        create();
        await breakAt(20, [0, 0, 0, 40]); // cluster_bits
      },
    ],
    [
      'ABSURD_SIZE',
      async () => {
        create();
        await breakAt(36, [0xff, 0xff, 0xff, 0xff]); // l1_size
      },
    ],
    [
      'ABSURD_SIZE',
      async () => {
        create();
        await breakAt(56, [0xff, 0xff, 0xff, 0xff]); // refcount_table_clusters
      },
    ],
    [
      'UNKNOWN_FEATURES',
      async () => {
        create();
        await breakAt(72, [0x80, 0, 0, 0, 0, 0, 0, 0]); // incompatible_features
      },
    ],
    [
      'CORRUPT',
      async () => {
        create();
        // The L1 table's first entry points into the header; QEMU's own check finds that.
        const header = await readFile(source);
        await breakAt(Number(header.readBigUInt64BE(40)), [0x80, 0, 0, 0, 0, 0, 0, 0x10]);
      },
    ],
  ];
  it.each(hostile)('refuses a file and leaves nothing of it: %s', async (refusal, make) => {
    await make();
    await expect(run()).rejects.toMatchObject({ code: 'FACTORY_ERR_IMAGE_REFUSED', refusal });
    expect(await published()).toEqual([]);
  });

  it.each(['qcow2', 'vdi', 'vhdx'])('does not take a %s file for raw', async (format) => {
    qemuImg('create', '-f', format, source, '16M');
    await expect(run({ format: 'raw' })).rejects.toMatchObject({ refusal: 'NOT_RAW' });
  });

  it('does not take an encrypted disk for raw', async () => {
    await writeFile(
      source,
      Buffer.concat([Buffer.from('LUKS\xba\xbe', 'latin1'), Buffer.alloc(1 << 20)]),
    );
    await expect(run({ format: 'raw' })).rejects.toMatchObject({ refusal: 'ENCRYPTED' });
  });

  it('judges whatever a file begins with', () => {
    const magic = Buffer.from('QFI\xfb\0\0\0', 'latin1');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), fc.boolean(), (bytes, isQcow2) => {
        const start = isQcow2 ? Buffer.concat([magic, bytes]) : Buffer.from(bytes);
        const found = inspectStart(start, start.length, undefined);
        return 'refusal' in found || found.format === 'qcow2';
      }),
    );
  });
});
