import { inflateSync } from 'node:zlib';
import { seededRandom } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { parsePpm } from './picture.ts';
import { sizeOfPng } from './png.ts';
import { screenshotOf } from './screenshot.ts';

function ppm(widthPx: number, heightPx: number, rgb: (index: number) => number): Uint8Array {
  const header = Buffer.from(`P6\n${widthPx} ${heightPx}\n255\n`);
  const pixels = Uint8Array.from({ length: widthPx * heightPx * 3 }, (_, index) => rgb(index));
  return Buffer.concat([header, pixels]);
}
const shotOf = (bytes: Uint8Array, bytesMax?: number) =>
  screenshotOf({ mime: 'image/x-portable-pixmap', bytes }, bytesMax);

/** Taken apart by hand: the rows of a PNG with one IDAT and the filter "up" throughout. */
function pixelsOf(png: Buffer): readonly (readonly number[])[] {
  const { widthPx, heightPx } = sizeOfPng(png) ?? { widthPx: 0, heightPx: 0 };
  const idat = png.indexOf('IDAT');
  const rows = inflateSync(png.subarray(idat + 4, idat + 4 + png.readUInt32BE(idat - 4)));
  const stride = widthPx * 3 + 1;
  const pixels: number[][] = [];
  for (let row = 0; row < heightPx; row += 1) {
    expect(rows[row * stride]).toBe(2);
    const line = [...rows.subarray(row * stride + 1, (row + 1) * stride)];
    pixels.push(line.map((byte, index) => (byte + (pixels[row - 1]?.[index] ?? 0)) & 0xff));
  }
  return pixels;
}

describe('a screenshot', () => {
  it("is QEMU's PPM as PNG, pixel by pixel", () => {
    const shot = shotOf(ppm(2, 2, (index) => index * 20));
    expect(shot).toMatchObject({ kind: 'screenshot', widthPx: 2, heightPx: 2 });
    expect(pixelsOf(Buffer.from(shot.png, 'base64'))).toEqual([
      [0, 20, 40, 60, 80, 100],
      [120, 140, 160, 180, 200, 220],
    ]);
  });

  it('becomes smaller until it can be sent', () => {
    const random = seededRandom(1);
    const noise = ppm(64, 64, () => Math.floor(random.next() * 256));
    const whole = shotOf(noise);
    expect(whole.widthPx).toBe(64);
    const small = shotOf(noise, 2_000);
    expect(small).toMatchObject({ widthPx: 16, heightPx: 16 });
    expect(Buffer.from(small.png, 'base64').length).toBeLessThanOrEqual(2_000);
  });

  it('is the mean of what became one pixel', () => {
    const shot = shotOf(
      ppm(2, 2, (index) => [0, 100, 200, 60][Math.floor(index / 3)] ?? 0),
      68,
    );
    expect(shot).toMatchObject({ widthPx: 1, heightPx: 1 });
    expect(pixelsOf(Buffer.from(shot.png, 'base64'))).toEqual([[90, 90, 90]]);
  });

  it.each([
    ['nothing', ''],
    ['another format', 'P5\n2 2\n255\n0000'],
    ['a screen without pixels', 'P6\n0 2\n255\n'],
    ['a huge screen', 'P6\n99999 99999\n255\n'],
    ['half a screen', 'P6\n2 2\n255\n000'],
  ])('is refused of %s', (_what, text) => {
    expect(() => parsePpm(Buffer.from(text))).toThrow("can't be read");
  });
});
