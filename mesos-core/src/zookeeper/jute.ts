import { ZooKeeperError } from './errors.ts';

/**
 * Writes ZooKeeper's record format (jute): big-endian numbers, texts and buffers with their length
 * before them, -1 for none (zookeeper.jute and BinaryOutputArchive of Apache ZooKeeper).
 */
export class JuteWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeInt32BE(value);
    return this.#add(bytes);
  }

  long(value: bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64BE(value);
    return this.#add(bytes);
  }

  bool(value: boolean): this {
    return this.#add(Buffer.from([value ? 1 : 0]));
  }

  buffer(value: Uint8Array): this {
    return this.int(value.length).#add(Buffer.from(value));
  }

  text(value: string): this {
    return this.buffer(Buffer.from(value));
  }

  list<T>(values: readonly T[], write: (value: T, writer: this) => void): this {
    this.int(values.length);
    for (const value of values) write(value, this);
    return this;
  }

  /** Something that was written before. */
  raw(bytes: Buffer): this {
    return this.#add(bytes);
  }

  /** What was written. */
  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** What was written, with its length before it, as it goes over the wire. */
  frame(): Buffer {
    const body = this.bytes();
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(body.length);
    return Buffer.concat([length, body]);
  }

  #add(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}

/** Reads what {@link JuteWriter} writes. Every method throws ZooKeeperError at a truncated record. */
export class JuteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  int(): number {
    return this.#take(4).readInt32BE();
  }

  long(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  bool(): boolean {
    return this.#take(1)[0] === 1;
  }

  buffer(): Buffer {
    const length = this.int();
    return length < 0 ? Buffer.alloc(0) : this.#take(length);
  }

  text(): string {
    return this.buffer().toString('utf8');
  }

  list<T>(read: (reader: this) => T): readonly T[] {
    const count = Math.max(0, this.int());
    const values: T[] = [];
    for (let index = 0; index < count; index += 1) values.push(read(this));
    return values;
  }

  #take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new ZooKeeperError('BAD_RECORD', 'a truncated record');
    const bytes = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return bytes;
  }
}

/** More than ZooKeeper itself would ever send (jute.maxbuffer is 1 MiB by default). */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

/** Cuts a stream of bytes into frames, however they arrive. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that are complete with this chunk, without their lengths. */
  push(chunk: Uint8Array): readonly Buffer[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const frames: Buffer[] = [];
    while (this.#pending.length >= 4) {
      const length = this.#pending.readInt32BE();
      if (length < 0 || length > FRAME_BYTES_MAX) {
        throw new ZooKeeperError('BAD_RECORD', `a frame of ${length} bytes`);
      }
      if (this.#pending.length < 4 + length) break;
      frames.push(this.#pending.subarray(4, 4 + length));
      this.#pending = this.#pending.subarray(4 + length);
    }
    return frames;
  }
}
