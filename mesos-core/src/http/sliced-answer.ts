import { Readable } from 'node:stream';
import { atTurnEnd, type Clock } from '@factory/runtime';
import type { FastifyReply } from 'fastify';

/** After so long everybody else has a turn before an answer is written on. */
const SLICE_MS = 5;
/** Pieces are sent together once they have come to this. */
const CHUNK_BYTES = 64 * 1024;
/** What a reader has not taken yet; more is not made before it has. */
const AHEAD_BYTES_MAX = 256 * 1024;
const NOTHING = new Uint8Array();

/** What an answer is made of; an empty piece means that work was done and nothing came of it yet. */
export type Pieces = Iterable<string | Uint8Array>;

/**
 * Sends an answer that is made while it is sent: at the reader's pace, and in slices, so that a
 * large one never holds up anything else. One that is ready within the first slice has a length.
 */
export function sendPieces(reply: FastifyReply, clock: Clock, pieces: Pieces): FastifyReply {
  const chunks = slices(pieces, clock);
  const first: Uint8Array[] = [];
  for (let next = chunks.next(); ; next = chunks.next()) {
    if (next.done) return reply.send(Buffer.concat(first));
    if (next.value === undefined) break;
    first.push(next.value);
  }
  const options = { objectMode: false, highWaterMark: AHEAD_BYTES_MAX };
  return reply.send(Readable.from(withTurns(first, chunks), options));
}

/** All of it, made in slices. */
export async function gatherPieces(pieces: Pieces, clock: Clock): Promise<readonly Uint8Array[]> {
  const gathered: Uint8Array[] = [];
  for await (const chunk of withTurns([], slices(pieces, clock))) gathered.push(chunk);
  return gathered;
}

async function* withTurns(
  first: readonly Uint8Array[],
  chunks: Iterable<Uint8Array | undefined>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  for (const chunk of chunks) {
    if (chunk === undefined) await new Promise<void>((resolve) => atTurnEnd(resolve));
    else yield chunk;
  }
}

/** The pieces in chunks; `undefined` at the end of each slice. */
function* slices(pieces: Pieces, clock: Clock): Generator<Uint8Array | undefined> {
  let endsAtMs = clock.monotonicMs() + SLICE_MS;
  let text = '';
  let bytes: Uint8Array[] = [];
  let size = 0;
  const add = (piece: string | Uint8Array): void => {
    size += piece.length;
    if (typeof piece === 'string') {
      text += piece;
      return;
    }
    if (text !== '') bytes.push(Buffer.from(text));
    text = '';
    bytes.push(piece);
  };
  const cut = (): Uint8Array => {
    add(NOTHING);
    const chunk = Buffer.concat(bytes);
    [bytes, size] = [[], 0];
    return chunk;
  };
  for (const piece of pieces) {
    if (piece.length > 0) add(piece);
    if (size >= CHUNK_BYTES) yield cut();
    if (clock.monotonicMs() < endsAtMs) continue;
    yield undefined;
    endsAtMs = clock.monotonicMs() + SLICE_MS;
  }
  if (size > 0) yield cut();
}
