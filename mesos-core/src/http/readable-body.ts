import { Readable } from 'node:stream';
import type { EventBody } from './event-sink.ts';

/** What is not larger is copied into one piece: a write costs more than that. */
const TOGETHER_BYTES_MAX = 64 * 1024;

/** An endless answer as a stream of Node's, for servers that take nothing else. */
export function readableBody(body: EventBody): Readable {
  const readable = new Readable({ read: () => body.onDrain() });
  // A connection that breaks is reported as an error too; `close` follows in any case.
  readable.on('error', () => undefined);
  readable.on('close', () => body.onClose());
  body.attach({
    get waitingBytes() {
      return readable.readableLength;
    },
    write: (pieces, length) => {
      if (readable.destroyed) return;
      if (length <= TOGETHER_BYTES_MAX) readable.push(Buffer.concat(pieces, length));
      else for (const piece of pieces) readable.push(piece);
    },
    end: () => readable.push(null),
    destroy: () => readable.destroy(),
  });
  return readable;
}
