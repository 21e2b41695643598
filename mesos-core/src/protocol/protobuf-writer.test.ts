import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from './protobuf-writer.ts';

/** Values and parts within parts, to be written by both writers. */
type Piece =
  | { readonly kind: 'unsigned' | 'signed' | 'double' | 'float'; readonly value: number }
  | { readonly kind: 'text' | 'base64'; readonly value: string }
  | { readonly kind: 'part'; readonly value: readonly Piece[] };

const { piece } = fc.letrec<{ piece: Piece }>((tie) => ({
  piece: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ kind: fc.constant('unsigned' as const), value: fc.maxSafeNat() }),
    fc.record({ kind: fc.constant('signed' as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant('double' as const), value: fc.double() }),
    fc.record({ kind: fc.constant('float' as const), value: fc.float() }),
    fc.record({
      kind: fc.constant('text' as const),
      value: fc.string({ unit: 'grapheme', maxLength: 300 }),
    }),
    fc.record({ kind: fc.constant('base64' as const), value: fc.base64String() }),
    fc.record({ kind: fc.constant('part' as const), value: fc.array(tie('piece')) }),
  ),
}));

function write(writer: ProtobufWriter, pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    switch (piece.kind) {
      case 'part': {
        const start = writer.open();
        write(writer, piece.value);
        writer.close(start);
        break;
      }
      case 'text':
      case 'base64':
        writer[piece.kind](piece.value);
        break;
      default:
        writer[piece.kind](piece.value);
    }
  }
}

function writeAsProtobufjs(writer: protobuf.Writer, pieces: readonly Piece[]): protobuf.Writer {
  for (const piece of pieces) {
    switch (piece.kind) {
      case 'part':
        writeAsProtobufjs(writer.fork(), piece.value).ldelim();
        break;
      case 'text':
        writer.string(piece.value);
        break;
      case 'base64':
        writer.bytes(Buffer.from(piece.value, 'base64'));
        break;
      case 'unsigned':
        writer.uint64(piece.value);
        break;
      case 'signed':
        writer.int64(piece.value);
        break;
      default:
        writer[piece.kind](piece.value);
    }
  }
  return writer;
}

describe('the protobuf writer', () => {
  it('writes what protobufjs writes', () => {
    const writer = new ProtobufWriter();
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        writer.begin();
        write(writer, pieces);
        const expected = writeAsProtobufjs(protobuf.Writer.create(), pieces).finish();
        expect(Buffer.from(writer.finish())).toEqual(Buffer.from(expected));
      }),
    );
  });

  it('grows for what is large, and keeps nothing of it', () => {
    const writer = new ProtobufWriter();
    writer.begin();
    const start = writer.open();
    for (let count = 0; count < 100; count += 1) writer.text('ä'.repeat(50_000));
    writer.close(start);
    const large = writer.finish();
    expect(large.length).toBeGreaterThan(100 * 100_000);
    writer.begin();
    writer.text('a');
    expect([...writer.finish()]).toEqual([1, 97]);
    expect(large.at(-1)).toBe(0xa4);
  });

  it('refuses numbers that are none', () => {
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 65]) {
      expect(() => new ProtobufWriter().unsigned(wrong)).toThrow('No varint');
    }
    expect(() => new ProtobufWriter().signed(Number.NEGATIVE_INFINITY)).toThrow('No varint');
  });
});
