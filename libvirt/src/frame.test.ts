import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LibvirtProtocolError } from './errors.ts';
import { encodeFrame, type Frame, FrameDecoder, MAX_MESSAGE_BYTES, PROGRAM } from './frame.ts';

const FRAMES: readonly Frame[] = ['', 'abcd', 'a longer payload'].map((text, index) => ({
  program: PROGRAM.remote,
  procedure: index + 1,
  type: 1,
  serial: index + 10,
  status: 0,
  payload: Buffer.from(text),
}));
const BYTES = Buffer.concat(FRAMES.map(encodeFrame));

/** A frame with its payload as text, so that views and copies compare equal. */
function readable(frames: readonly Frame[]): readonly unknown[] {
  return frames.map((frame) => ({ ...frame, payload: Buffer.from(frame.payload).toString() }));
}

function decodeInPieces(pieces: readonly Uint8Array[]): readonly unknown[] {
  const decoder = new FrameDecoder();
  return readable(pieces.flatMap((piece) => decoder.push(piece)));
}

describe('frames', () => {
  it('has the layout of virnetprotocol.x', () => {
    const [, frame] = FRAMES;
    expect(frame && encodeFrame(frame).toString('hex')).toBe(
      '00000020' +
        '20008086' +
        '00000001' +
        '00000002' +
        '00000001' +
        '0000000b' +
        '00000000' +
        '61626364',
    );
  });

  it('are found again however the bytes are cut in two', () => {
    for (let cut = 0; cut <= BYTES.length; cut += 1) {
      const pieces = [BYTES.subarray(0, cut), BYTES.subarray(cut)];
      expect(decodeInPieces(pieces)).toStrictEqual(readable(FRAMES));
    }
  });

  it('are found again byte by byte, and in pieces of any size', () => {
    expect(decodeInPieces(Array.from(BYTES, (byte) => Uint8Array.of(byte)))).toStrictEqual(
      readable(FRAMES),
    );
    const cuts = fc.array(fc.nat(BYTES.length), { maxLength: 10 });
    fc.assert(
      fc.property(cuts, (positions) => {
        const sorted = [0, ...positions.sort((a, b) => a - b), BYTES.length];
        const pieces = sorted.slice(1).map((end, index) => BYTES.subarray(sorted[index], end));
        expect(decodeInPieces(pieces)).toStrictEqual(readable(FRAMES));
      }),
    );
  });

  it('refuses a length that no frame can have', () => {
    for (const length of [0, 4, 27, MAX_MESSAGE_BYTES + 5, 0xffff_ffff]) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(length);
      expect(() => new FrameDecoder().push(bytes)).toThrow(LibvirtProtocolError);
    }
  });

  it('refuses another protocol version', () => {
    const bytes = Buffer.from(BYTES);
    bytes.writeUInt32BE(2, 8);
    expect(() => new FrameDecoder().push(bytes)).toThrow(/protocol version 2/);
  });

  it('does not send what libvirt would not take', () => {
    const [frame] = FRAMES;
    const payload = Buffer.alloc(MAX_MESSAGE_BYTES);
    expect(() => frame && encodeFrame({ ...frame, payload })).toThrow(LibvirtProtocolError);
  });
});
