import { crc32, deflateSync } from 'node:zlib';
import type { Picture } from './picture.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Bit depth 8, truecolour; deflate, adaptive filters, not interlaced: RFC 2083, 4.1.1. */
const RGB8 = [8, 2, 0, 0, 0] as const;
/** "Up": each byte less the one above it. Screens are mostly made of equal rows. */
const FILTER_UP = 2;

/** The picture as PNG (RFC 2083). Pure. */
export function encodePng(picture: Picture): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(picture.widthPx, 0);
  header.writeUInt32BE(picture.heightPx, 4);
  header.set(RGB8, 8);
  const pixels = deflateSync(filtered(picture), { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function filtered({ widthPx, heightPx, rgb }: Picture): Buffer {
  const rowBytes = widthPx * 3;
  const rows = Buffer.alloc((rowBytes + 1) * heightPx);
  for (let row = 0; row < heightPx; row += 1) {
    const to = row * (rowBytes + 1);
    const from = row * rowBytes;
    rows[to] = FILTER_UP;
    for (let index = 0; index < rowBytes; index += 1) {
      const above = row === 0 ? 0 : (rgb[from - rowBytes + index] ?? 0);
      rows[to + 1 + index] = ((rgb[from + index] ?? 0) - above) & 0xff;
    }
  }
  return rows;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** Width and height of a PNG; undefined when the bytes are none. */
export function sizeOfPng(
  bytes: Uint8Array,
): { readonly widthPx: number; readonly heightPx: number } | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 24));
  if (start.length < 24 || !start.subarray(0, 8).equals(SIGNATURE)) return undefined;
  return { widthPx: start.readUInt32BE(16), heightPx: start.readUInt32BE(20) };
}
