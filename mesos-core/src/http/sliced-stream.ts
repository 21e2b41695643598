import { Readable } from 'node:stream';
import { atTurnEnd, type Clock } from '@factory/runtime';

/** Small pieces are sent together. */
const CHUNK_BYTES = 64 * 1024;
/** After so much work in one go everybody else has a turn. */
const SLICE_MS = 5;

/**
 * A body whose pieces are made as the peer takes them, a few milliseconds' worth at a time: an
 * answer of 50 MB neither holds up the process nor lies in its memory as a whole.
 */
export function slicedStream(pieces: Iterable<Uint8Array>, clock: Clock): Readable {
  return Readable.from(chunksOf(pieces, clock), { objectMode: false });
}

async function* chunksOf(pieces: Iterable<Uint8Array>, clock: Clock): AsyncGenerator<Uint8Array> {
  let chunk: Uint8Array[] = [];
  let chunkBytes = 0;
  let sliceEndsMs = clock.monotonicMs() + SLICE_MS;
  for (const piece of pieces) {
    chunk.push(piece);
    chunkBytes += piece.length;
    if (chunkBytes >= CHUNK_BYTES) {
      yield Buffer.concat(chunk);
      chunk = [];
      chunkBytes = 0;
    }
    if (clock.monotonicMs() < sliceEndsMs) continue;
    await new Promise<void>((resolve) => atTurnEnd(resolve));
    sliceEndsMs = clock.monotonicMs() + SLICE_MS;
  }
  if (chunkBytes > 0) yield Buffer.concat(chunk);
}
