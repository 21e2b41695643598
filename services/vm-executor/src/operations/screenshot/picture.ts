/** A picture of pixels, row by row from the top, three bytes (red, green, blue) each. */
export interface Picture {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8Array;
}

/** The bytes are no picture that we can read. */
export class BadPictureError extends Error {
  readonly code = 'FACTORY_ERR_BAD_PICTURE';
  constructor(detail: string) {
    super(`The screen's picture can't be read: ${detail}`);
    this.name = 'BadPictureError';
  }
}

/** QEMU's screens are far smaller. */
const SIDE_PX_MAX = 16_384;

/**
 * A binary PPM (netpbm's "P6"), as QEMU writes it: one picture, 255 the brightest.
 * @throws BadPictureError
 */
export function parsePpm(bytes: Uint8Array): Picture {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  const header = /^P6\s+(?:#[^\n]*\n)?(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(start);
  if (header === null) throw new BadPictureError('it does not begin as a PPM does');
  const [widthPx, heightPx] = [Number(header[1]), Number(header[2])];
  if (widthPx < 1 || heightPx < 1 || Math.max(widthPx, heightPx) > SIDE_PX_MAX) {
    throw new BadPictureError(`${widthPx} x ${heightPx} pixels`);
  }
  const from = header[0].length;
  const length = widthPx * heightPx * 3;
  if (bytes.length < from + length) throw new BadPictureError('it ends early');
  return { widthPx, heightPx, rgb: bytes.subarray(from, from + length) };
}

/** The picture at half its size, each pixel the mean of four; a side of one pixel stays. Pure. */
export function halved({ widthPx, heightPx, rgb }: Picture): Picture {
  const width = Math.max(1, widthPx >> 1);
  const height = Math.max(1, heightPx >> 1);
  const small = new Uint8Array(width * height * 3);
  const at = (x: number, y: number, channel: number): number => {
    const column = Math.min(x, widthPx - 1);
    const row = Math.min(y, heightPx - 1);
    return rgb[(row * widthPx + column) * 3 + channel] ?? 0;
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        const [left, top] = [2 * x, 2 * y];
        const upper = at(left, top, channel) + at(left + 1, top, channel);
        const lower = at(left, top + 1, channel) + at(left + 1, top + 1, channel);
        small[(y * width + x) * 3 + channel] = (upper + lower) >> 2;
      }
    }
  }
  return { widthPx: width, heightPx: height, rgb: small };
}
