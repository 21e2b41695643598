import { LibvirtProtocolError } from './errors.ts';

/**
 * XDR (RFC 4506): big-endian, everything padded to 4 bytes. A {@link Codec} says how one type goes
 * to the wire and back; codecs are composed, and the TypeScript types follow from them.
 */
export interface Codec<T> {
  /** Appends `value`. @throws LibvirtProtocolError when it does not fit the type or its limit. */
  encode(writer: XdrWriter, value: T): void;
  /** Takes a value. @throws LibvirtProtocolError when the bytes do not hold one. */
  decode(reader: XdrReader): T;
}

/** The TypeScript type of a codec's values. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** Bytes to complete `length` to a multiple of 4. */
function paddingOf(length: number): number {
  return (4 - (length % 4)) % 4;
}

/** A growing buffer of XDR. */
export class XdrWriter {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  /** Makes room for `count` bytes and gives the offset to write them at. */
  #grow(count: number): number {
    const offset = this.#length;
    const needed = offset + count;
    if (needed > this.#buffer.length) {
      const bigger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(bigger, 0, 0, offset);
      this.#buffer = bigger;
    }
    this.#length = needed;
    return offset;
  }

  writeInt32(value: number): void {
    const offset = this.#grow(4);
    this.#buffer.writeInt32BE(value, offset);
  }

  writeUint32(value: number): void {
    const offset = this.#grow(4);
    this.#buffer.writeUInt32BE(value, offset);
  }

  writeInt64(value: bigint): void {
    const offset = this.#grow(8);
    this.#buffer.writeBigInt64BE(value, offset);
  }

  writeUint64(value: bigint): void {
    const offset = this.#grow(8);
    this.#buffer.writeBigUInt64BE(value, offset);
  }

  writeDouble(value: number): void {
    const offset = this.#grow(8);
    this.#buffer.writeDoubleBE(value, offset);
  }

  /** Bytes of a length both sides know, with padding. */
  writeFixedOpaque(bytes: Uint8Array): void {
    const padding = paddingOf(bytes.length);
    const offset = this.#grow(bytes.length + padding);
    this.#buffer.set(bytes, offset);
    this.#buffer.fill(0, offset + bytes.length, offset + bytes.length + padding);
  }

  /** What was written so far. The writer must not be used any more. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Takes XDR from bytes of which none is trusted. */
export class XdrReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not taken yet. */
  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  #take(count: number): number {
    if (count > this.remaining) {
      throw new LibvirtProtocolError(`${count} bytes expected, ${this.remaining} left`);
    }
    const offset = this.#offset;
    this.#offset += count;
    return offset;
  }

  readInt32(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  readUint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  readInt64(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  readUint64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  readDouble(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  /** Bytes of a length both sides know; a view, not a copy. */
  readFixedOpaque(length: number): Buffer {
    const start = this.#take(length);
    this.#take(paddingOf(length));
    return this.#buffer.subarray(start, start + length);
  }

  /** A count of things that take at least 4 bytes each: a hostile count allocates nothing. */
  readCount(max: number): number {
    const count = this.readUint32();
    if (count > max) throw new LibvirtProtocolError(`a list of ${count}, where ${max} is the most`);
    if (count * 4 > this.remaining) {
      throw new LibvirtProtocolError(`a list of ${count} in ${this.remaining} bytes`);
    }
    return count;
  }

  /** @throws LibvirtProtocolError unless all bytes were taken. */
  expectEnd(): void {
    if (this.remaining > 0) throw new LibvirtProtocolError(`${this.remaining} bytes too many`);
  }
}

/** Checks an integer before it is written: Node's own RangeError would not be one of ours. */
function within(value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new LibvirtProtocolError(`${value} is not a whole number from ${min} to ${max}`);
}

/** `void`. */
export const nothing: Codec<void> = { encode: () => undefined, decode: () => undefined };

/** `int`, and C's smaller signed types. */
export const int: Codec<number> = {
  encode: (writer, value) => writer.writeInt32(within(value, -(2 ** 31), 2 ** 31 - 1)),
  decode: (reader) => reader.readInt32(),
};

/** `unsigned int`, and C's smaller unsigned types. */
export const uint: Codec<number> = {
  encode: (writer, value) => writer.writeUint32(within(value, 0, 2 ** 32 - 1)),
  decode: (reader) => reader.readUint32(),
};

/** `hyper`. */
export const hyper: Codec<bigint> = {
  encode(writer, value) {
    if (BigInt.asIntN(64, value) !== value) throw new LibvirtProtocolError(`${value} > 64 bits`);
    writer.writeInt64(value);
  },
  decode: (reader) => reader.readInt64(),
};

/** `unsigned hyper`. */
export const uhyper: Codec<bigint> = {
  encode(writer, value) {
    if (BigInt.asUintN(64, value) !== value) throw new LibvirtProtocolError(`${value} > 64 bits`);
    writer.writeUint64(value);
  },
  decode: (reader) => reader.readUint64(),
};

/** `double`. */
export const double: Codec<number> = {
  encode: (writer, value) => writer.writeDouble(value),
  decode: (reader) => reader.readDouble(),
};

/** libvirt's truth: an `int` that is 0 or not. */
export const bool: Codec<boolean> = {
  encode: (writer, value) => writer.writeInt32(value ? 1 : 0),
  decode: (reader) => reader.readInt32() !== 0,
};

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** `string<max>`, UTF-8. Bytes that are no UTF-8 become U+FFFD: a name in a log beats no answer. */
export function stringOf(max: number): Codec<string> {
  return {
    encode(writer, value) {
      const bytes = Buffer.from(value, 'utf8');
      if (bytes.length > max) {
        throw new LibvirtProtocolError(
          `a string of ${bytes.length} bytes, where ${max} is the most`,
        );
      }
      // libvirt reads C strings, so the rest would be silently lost.
      if (bytes.includes(0)) throw new LibvirtProtocolError('a string with a zero byte');
      writer.writeUint32(bytes.length);
      writer.writeFixedOpaque(bytes);
    },
    decode(reader) {
      const length = reader.readUint32();
      if (length > max) {
        throw new LibvirtProtocolError(`a string of ${length} bytes, where ${max} is the most`);
      }
      return utf8.decode(reader.readFixedOpaque(length));
    },
  };
}

/** `T *`: a value that may be missing. */
export function optional<T>(inner: Codec<T>): Codec<T | undefined> {
  return {
    encode(writer, value) {
      writer.writeUint32(value === undefined ? 0 : 1);
      if (value !== undefined) inner.encode(writer, value);
    },
    decode(reader) {
      const present = reader.readUint32();
      if (present > 1) throw new LibvirtProtocolError(`a presence mark of ${present}`);
      return present === 1 ? inner.decode(reader) : undefined;
    },
  };
}

/** `T<max>`: a list with its length. Every element must take at least 4 bytes, as all in XDR do. */
export function arrayOf<T>(inner: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    encode(writer, values) {
      if (values.length > max) {
        throw new LibvirtProtocolError(`a list of ${values.length}, where ${max} is the most`);
      }
      writer.writeUint32(values.length);
      for (const value of values) inner.encode(writer, value);
    },
    decode(reader) {
      const count = reader.readCount(max);
      const values: T[] = [];
      for (let index = 0; index < count; index += 1) values.push(inner.decode(reader));
      return values;
    },
  };
}

type Fields = Readonly<Record<string, Codec<unknown>>>;
type StructValue<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** `struct`: fields in the order they are written here. */
export function struct<F extends Fields>(fields: F): Codec<StructValue<F>> {
  const entries = Object.entries(fields);
  return {
    encode(writer, value) {
      for (const [name, codec] of entries) codec.encode(writer, value[name]);
    },
    decode(reader) {
      const pairs = entries.map(([name, codec]) => [name, codec.decode(reader)]);
      // `entries` are the fields of F, so the object has F's shape.
      return Object.fromEntries(pairs) as StructValue<F>;
    },
  };
}

/** `char name[length]` with a C string: rpcgen writes every char as an int of its own. */
export function charArray(length: number): Codec<string> {
  return {
    encode(writer, value) {
      const bytes = Buffer.from(value, 'utf8');
      if (bytes.length >= length) throw new LibvirtProtocolError(`'${value}' is too long`);
      for (let index = 0; index < length; index += 1) writer.writeInt32(bytes[index] ?? 0);
    },
    decode(reader) {
      const chars = Array.from({ length }, () => reader.readInt32() & 0xff);
      const end = chars.indexOf(0);
      return utf8.decode(Uint8Array.from(end < 0 ? chars : chars.slice(0, end)));
    },
  };
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** `opaque uuid[16]`, as lower-case text with dashes. */
export const uuid: Codec<string> = {
  encode(writer, value) {
    if (!UUID.test(value)) throw new LibvirtProtocolError(`'${value}' is not a UUID`);
    writer.writeFixedOpaque(Buffer.from(value.replaceAll('-', ''), 'hex'));
  },
  decode(reader) {
    const hex = reader.readFixedOpaque(16).toString('hex');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  },
};
