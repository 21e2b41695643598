import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { qcow2Overlay } from './qcow2-overlay.ts';

const TIB = 1024 ** 4;
const CLUSTER_BYTES = 65536;

/** The fields of the header that say where the other parts are. */
function readHeader(file: Buffer) {
  const pathOffset = Number(file.readBigUInt64BE(8));
  return {
    magic: file.readUInt32BE(0),
    version: file.readUInt32BE(4),
    basePath: file.toString('utf8', pathOffset, pathOffset + file.readUInt32BE(16)),
    sizeBytes: Number(file.readBigUInt64BE(24)),
    l1Entries: file.readUInt32BE(36),
    l1Offset: Number(file.readBigUInt64BE(40)),
    refcountTableOffset: Number(file.readBigUInt64BE(48)),
  };
}

const paths = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }).map((name) => `/${name}`);
const sizes = fc.integer({ min: 1, max: 64 * TIB });

describe('qcow2Overlay', () => {
  it('says what it was asked for, with parts that do not overlap and count themselves', () => {
    fc.assert(
      fc.property(paths, sizes, (basePath, sizeBytes) => {
        const file = Buffer.from(qcow2Overlay({ basePath, sizeBytes }));
        const header = readHeader(file);
        expect(header).toMatchObject({ magic: 0x514649fb, version: 3, basePath });
        expect(header.sizeBytes - sizeBytes).toBeGreaterThanOrEqual(0);
        expect(header.sizeBytes - sizeBytes).toBeLessThan(512);
        expect(header.l1Entries * 2 ** 29).toBeGreaterThanOrEqual(header.sizeBytes);
        expect(header.l1Offset + header.l1Entries * 8).toBeLessThanOrEqual(file.length);

        const block = Number(file.readBigUInt64BE(header.refcountTableOffset));
        const clusters = file.length / CLUSTER_BYTES;
        const counts = Array.from({ length: clusters + 1 }, (_, i) =>
          file.readUInt16BE(block + 2 * i),
        );
        expect(counts).toEqual([...Array(clusters).fill(1), 0]);
        expect(file.subarray(header.l1Offset).every((byte) => byte === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['a relative path', 'base.qcow2', 512],
    ['a path with a protocol', 'nbd:host:1', 512],
    ['a path too long for the header', `/${'é'.repeat(512)}`, 512],
    ['a disk of nothing', '/base', 0],
    ['a size that is no number', '/base', Number.NaN],
    ['a disk that QEMU would not open', '/base', 2 ** 51 + 512],
  ])('refuses %s', (_what, basePath, sizeBytes) => {
    expect(() => qcow2Overlay({ basePath, sizeBytes })).toThrow(RangeError);
  });
});
