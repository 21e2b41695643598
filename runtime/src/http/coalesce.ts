import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { atTurnEnd } from '../turn.ts';

/** With more than this waiting the writer has to wait too: back-pressure as ever. */
const HELD_BYTES_MAX = 64 * 1024;

type Written = (error?: Error | null) => void;
type Piece = { readonly chunk: unknown; readonly encoding: BufferEncoding };

/**
 * Lets all that one turn of the event loop writes to a connection leave together at its end. Node
 * sends the answers to pipelined requests one by one, each after the write of the one before, and a
 * write of 200 bytes costs as much as one of 20,000: 40 to 80 µs on a small cloud machine, a third
 * of all that a Mesos master spent on a task. For a peer with one request at a time nothing changes.
 */
export function coalesceWrites(server: Server): void {
  server.on('connection', coalesce);
}

function coalesce(socket: Socket): void {
  const writeNow = socket._writev?.bind(socket);
  if (writeNow === undefined) return;
  let held: Piece[] = [];
  let heldBytes = 0;
  let waiting: Written[] = [];
  const flush = (): void => {
    const [pieces, writers] = [held, waiting];
    [held, waiting, heldBytes] = [[], [], 0];
    if (pieces.length === 0 || socket.destroyed) {
      release(writers);
      return;
    }
    writeNow([...pieces], (error) => {
      if (error) socket.destroy(error);
      release(writers, error);
    });
  };
  const hold = (pieces: readonly Piece[], written: Written): void => {
    if (held.length === 0) atTurnEnd(flush);
    for (const piece of pieces) {
      held.push(piece);
      heldBytes += lengthOf(piece.chunk);
    }
    if (heldBytes > HELD_BYTES_MAX) waiting.push(written);
    else written();
  };
  socket._write = (chunk, encoding, written) => hold([{ chunk, encoding }], written);
  socket._writev = (pieces, written) => hold(pieces, written);
  const end = socket._final.bind(socket);
  socket._final = (done) => {
    flush();
    end(done);
  };
}

function release(writers: readonly Written[], error?: Error | null): void {
  for (const written of writers) written(error);
}

function lengthOf(chunk: unknown): number {
  return typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
}
