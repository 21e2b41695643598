import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LibvirtProtocolError } from './errors.ts';
import { remoteError } from './procedures/shapes.ts';
import { type TypedValue, typedParam } from './typed-params.ts';
import {
  arrayOf,
  bool,
  type Codec,
  charArray,
  double,
  hyper,
  int,
  optional,
  stringOf,
  struct,
  uhyper,
  uint,
  uuid,
  XdrReader,
  XdrWriter,
} from './xdr.ts';

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.encode(writer, value);
  return writer.finish();
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new XdrReader(bytes);
  const value = codec.decode(reader);
  reader.expectEnd();
  return value;
}

/** Objects like those of literals, so that they compare equal. */
const PLAIN = { noNullPrototype: true } as const;
const text = stringOf(1_000);
// Well-formed and free of zero characters: others are refused, and tested on their own below.
const words = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((value) => !value.includes('\0'));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const typedValues: fc.Arbitrary<TypedValue> = fc.oneof(
  int32.map((value) => ({ type: 'int' as const, value })),
  uint32.map((value) => ({ type: 'uint' as const, value })),
  int64.map((value) => ({ type: 'llong' as const, value })),
  uint64.map((value) => ({ type: 'ullong' as const, value })),
  fc.double({ noNaN: true }).map((value) => ({ type: 'double' as const, value })),
  fc.boolean().map((value) => ({ type: 'boolean' as const, value })),
  words.map((value) => ({ type: 'string' as const, value })),
);

describe('XDR', () => {
  it('gives back what was written, in multiples of four bytes', () => {
    const everything = struct({
      int,
      uint,
      hyper,
      uhyper,
      double,
      bool,
      text,
      maybe: optional(text),
      list: arrayOf(text, 10),
      uuid,
    });
    const values = fc.record(
      {
        int: int32,
        uint: uint32,
        hyper: int64,
        uhyper: uint64,
        double: fc.double({ noNaN: true }),
        bool: fc.boolean(),
        text: words,
        maybe: fc.option(words, { nil: undefined }),
        list: fc.array(words, { maxLength: 10 }),
        uuid: fc.uuid(),
      },
      PLAIN,
    );
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(everything, value);
        expect(bytes.length % 4).toBe(0);
        expect(decode(everything, bytes)).toStrictEqual(value);
      }),
    );
  });

  it('gives back typed parameters of every type', () => {
    const list = arrayOf(typedParam, 100);
    const params = fc.array(fc.record({ field: words, value: typedValues }, PLAIN), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(params, (value) => {
        expect(decode(list, encode(list, value))).toStrictEqual(value);
      }),
    );
  });

  it('writes the bytes that RFC 4506 asks for', () => {
    expect(encode(text, 'ab').toString('hex')).toBe('00000002' + '61620000');
    expect(encode(int, -2).toString('hex')).toBe('fffffffe');
    expect(encode(uhyper, 2n ** 63n).toString('hex')).toBe('8000000000000000');
    expect(encode(optional(int), undefined).toString('hex')).toBe('00000000');
    expect(encode(optional(int), 7).toString('hex')).toBe('0000000100000007');
    expect(encode(uuid, '00112233-4455-6677-8899-AABBCCDDEEFF').toString('hex')).toBe(
      '00112233445566778899aabbccddeeff',
    );
  });

  it('spends four bytes on each char of a char array', () => {
    const bytes = encode(charArray(32), 'x86_64');
    expect(bytes.length).toBe(128);
    expect(decode(charArray(32), bytes)).toBe('x86_64');
  });

  it('never reads past the end, whatever the bytes', () => {
    const codecs: readonly Codec<unknown>[] = [remoteError, arrayOf(typedParam, 1_000), text];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(2), (bytes, index) => {
        try {
          decode(codecs[index] ?? text, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LibvirtProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuses lengths that the message cannot hold, before it allocates anything', () => {
    const hostile = Buffer.alloc(8);
    hostile.writeUInt32BE(0xffff_ffff, 0);
    expect(() => decode(text, hostile)).toThrow(/4294967295 bytes, where 1000/);
    expect(() => decode(stringOf(2 ** 32), hostile)).toThrow(LibvirtProtocolError);
    expect(() => decode(arrayOf(int, 2 ** 32), hostile)).toThrow(/in 4 bytes/);
    expect(() => decode(arrayOf(int, 10), hostile)).toThrow(/10 is the most/);
    expect(() => decode(optional(int), hostile)).toThrow(/presence mark/);
    expect(() => decode(int, Buffer.alloc(8))).toThrow(/4 bytes too many/);
    expect(() => decode(typedParam, Buffer.from('0000000000000009', 'hex'))).toThrow(/type 9/);
  });

  it('refuses to write what does not fit its type', () => {
    expect(() => encode(int, 2 ** 31)).toThrow(LibvirtProtocolError);
    expect(() => encode(uint, -1)).toThrow(LibvirtProtocolError);
    expect(() => encode(uint, 1.5)).toThrow(LibvirtProtocolError);
    expect(() => encode(uhyper, -1n)).toThrow(LibvirtProtocolError);
    expect(() => encode(hyper, 2n ** 63n)).toThrow(LibvirtProtocolError);
    expect(() => encode(text, 'x'.repeat(1_001))).toThrow(/1001 bytes/);
    expect(() => encode(text, 'a\0b')).toThrow(/zero byte/);
    expect(() => encode(uuid, 'not-a-uuid')).toThrow(/not a UUID/);
    expect(() => encode(arrayOf(int, 1), [1, 2])).toThrow(/1 is the most/);
    expect(() => encode(charArray(4), 'long')).toThrow(/too long/);
  });
});
