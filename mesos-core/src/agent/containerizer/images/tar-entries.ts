import { ImageError } from './image.ts';

/** One member of a tar archive. */
export interface TarEntry {
  readonly path: string;
  /** As in the archive: `0` file, `1` hard link, `2` symbolic link, `5` directory, … */
  readonly type: string;
  readonly linkTarget: string;
  readonly sizeBytes: number;
}

const BLOCK_BYTES = 512;
/** A name or a set of pax records; real ones are far smaller. */
const LONG_NAME_BYTES_MAX = 1024 * 1024;

/**
 * The members of a tar archive (ustar, pax, GNU long names) in order, without their content. Pure
 * but for the reading.
 * @throws ImageError when it is damaged.
 */
export async function* tarEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new BlockReader(chunks);
  let names: { path?: string; linkTarget?: string; sizeBytes?: number } = {};
  for (;;) {
    const header = await reader.read(BLOCK_BYTES);
    // The end is two empty blocks; some writers leave them away.
    if (header === undefined || header.every((byte) => byte === 0)) return;
    expectChecksum(header);
    const type = text(header, 156, 1) || '0';
    const sizeBytes = names.sizeBytes ?? number(header, 124, 12);
    if ('LKxg'.includes(type)) {
      if (sizeBytes > LONG_NAME_BYTES_MAX) throw new ImageError('a name in the layer is too long');
      const content = (await reader.read(padded(sizeBytes)))?.subarray(0, sizeBytes);
      if (content === undefined) throw new ImageError('the layer ends in the middle of a name');
      if (type === 'L') names.path = text(content, 0, sizeBytes);
      if (type === 'K') names.linkTarget = text(content, 0, sizeBytes);
      if (type === 'x') names = { ...names, ...paxRecords(content) };
      continue;
    }
    const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
    const short = text(header, 0, 100);
    yield {
      path: names.path ?? (prefix === '' ? short : `${prefix}/${short}`),
      type,
      linkTarget: names.linkTarget ?? text(header, 157, 100),
      sizeBytes,
    };
    names = {};
    await reader.skip(padded(sizeBytes));
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function text(block: Uint8Array, offset: number, length: number): string {
  const bytes = block.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function number(block: Uint8Array, offset: number, length: number): number {
  const [first = 0] = block.subarray(offset);
  const value =
    (first & 0x80) === 0
      ? Number.parseInt(text(block, offset, length).trim() || '0', 8)
      : // GNU: too large for octal digits, so in binary.
        Number(
          BigInt(`0x${Buffer.from(block.subarray(offset + 1, offset + length)).toString('hex')}`),
        );
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ImageError('a size in the layer is wrong');
  return value;
}

function expectChecksum(header: Uint8Array): void {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (sum !== number(header, 148, 8)) throw new ImageError('the layer is not a tar archive');
}

function paxRecords(content: Uint8Array): {
  path?: string;
  linkTarget?: string;
  sizeBytes?: number;
} {
  const found: { path?: string; linkTarget?: string; sizeBytes?: number } = {};
  for (const line of Buffer.from(content).toString('utf8').split('\n')) {
    const [, key, value = ''] = /^\d+ ([^=]+)=(.*)$/s.exec(line) ?? [];
    if (key === 'path') found.path = value;
    if (key === 'linkpath') found.linkTarget = value;
    if (key === 'size') found.sizeBytes = Number(value);
  }
  return found;
}

class BlockReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** So many bytes; `undefined` at the end. */
  async read(bytes: number): Promise<Uint8Array | undefined> {
    while (this.#buffer.length < bytes) {
      const next = await this.#chunks.next();
      if (next.done === true) return undefined;
      this.#buffer = Buffer.concat([this.#buffer, next.value]);
    }
    const wanted = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return wanted;
  }

  async skip(bytes: number): Promise<void> {
    let left = bytes - this.#buffer.length;
    this.#buffer = this.#buffer.subarray(Math.min(bytes, this.#buffer.length));
    while (left > 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new ImageError('the layer ends in the middle of a file');
      if (next.value.length > left) this.#buffer = Buffer.from(next.value.subarray(left));
      left -= next.value.length;
    }
  }
}
