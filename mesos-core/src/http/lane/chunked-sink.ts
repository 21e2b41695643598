import type { Socket } from 'node:net';
import type { EventSink } from '../event-sink.ts';
import { chunkHead, LAST_CHUNK } from './answers.ts';

/** What is not larger is copied into one piece: a write costs more than that. */
const TOGETHER_BYTES_MAX = 64 * 1024;
const LINE_END = '\r\n';

/** Writes an endless answer to a connection: the head with the first chunk, then chunk by chunk. */
export class ChunkedSink implements EventSink {
  readonly #socket: Socket;
  /** What is still to be written before the next chunk. */
  #before: string;

  constructor(socket: Socket, before: string) {
    this.#socket = socket;
    this.#before = before;
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  write(pieces: readonly Uint8Array[], length: number): void {
    if (!this.#socket.writable) return;
    const before = this.#before + chunkHead(length);
    this.#before = '';
    if (length <= TOGETHER_BYTES_MAX) {
      this.#socket.write(together(before, pieces, length));
      return;
    }
    this.#socket.cork();
    this.#socket.write(before);
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.write(LINE_END);
    this.#socket.uncork();
  }

  /** Writes the head, if nothing was written yet that it could go with. */
  flush(): void {
    if (this.#before !== '' && this.#socket.writable) this.#socket.write(this.#before);
    this.#before = '';
  }

  end(): void {
    this.#socket.end(this.#before + LAST_CHUNK);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function together(before: string, pieces: readonly Uint8Array[], length: number): Buffer {
  const bytes = Buffer.allocUnsafe(before.length + length + LINE_END.length);
  let end = bytes.write(before, 0, 'latin1');
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.length;
  }
  bytes.write(LINE_END, end, 'latin1');
  return bytes;
}
