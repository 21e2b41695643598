import { type Clock, type Timer, withDeadline } from '@factory/runtime';
import {
  LibvirtStreamClosedError,
  LibvirtStreamOverflowError,
  LibvirtTimeoutError,
} from './errors.ts';
import { STATUS } from './frame.ts';
import type { LibvirtStream } from './types.ts';

/** VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX less the header: what every libvirtd takes in one piece. */
const MAX_WRITE_BYTES = 262_120;

/** How a stream reaches its connection. */
interface StreamPort {
  readonly clock: Clock;
  /** The procedure that opened it, for messages. */
  readonly name: string;
  readonly lifetimeMs: number | undefined;
  readonly maxBufferedBytes: number;
  readonly closeTimeoutMs: number;
  /** Sends a stream frame; resolves when the socket has taken it. */
  readonly send: (status: number, payload: Uint8Array) => Promise<void>;
  /** The stream has ended: forget it. */
  readonly onEnd: () => void;
}

/**
 * Our side of one libvirt stream. The rules (virnetprotocol.x, remote_daemon_stream.c): data is
 * `continue`; an empty `continue` means "no more data", and also confirms a finish; we finish with
 * `ok` and abort with `error`; after an `error` from libvirt the stream is gone on both sides.
 */
export class RpcStream implements LibvirtStream {
  readonly #port: StreamPort;
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #state: 'open' | 'finishing' | 'ended' = 'open';
  #failure: Error | undefined;
  #wakeReader: () => void = () => undefined;
  readonly #ended = Promise.withResolvers<void>();
  readonly #lifetime: Timer | undefined;

  constructor(port: StreamPort) {
    this.#port = port;
    const { clock, name, lifetimeMs } = port;
    if (lifetimeMs === undefined) return;
    this.#lifetime = clock.after(lifetimeMs, () => {
      this.#drop(new LibvirtTimeoutError(name, lifetimeMs, 'sent'));
    });
  }

  /** Takes a data or confirmation frame of libvirt. */
  receive(status: number, payload: Uint8Array): void {
    if (status === STATUS.continue && payload.length > 0) this.#buffer(payload);
    else if (status === STATUS.continue && this.#state === 'open') this.#finish();
    else this.#end();
  }

  /** Ends the stream because of `error`, which the reader gets after the bytes that came before. */
  fail(error: Error): void {
    if (this.#state === 'open') this.#failure = error;
    this.#end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const bytes = this.#unread.shift();
        if (bytes !== undefined) {
          this.#unreadBytes -= bytes.length;
          yield bytes;
        } else if (this.#failure !== undefined) {
          throw this.#failure;
        } else if (this.#state !== 'open') {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.abort();
    }
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
    for (let offset = 0; offset < all.length; offset += MAX_WRITE_BYTES) {
      if (this.#state !== 'open') throw this.#failure ?? new LibvirtStreamClosedError();
      await this.#port.send(STATUS.continue, all.subarray(offset, offset + MAX_WRITE_BYTES));
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'ended') return;
    if (this.#state === 'open') this.#finish();
    const { clock, closeTimeoutMs } = this.#port;
    try {
      await withDeadline(clock, 'closing a libvirt stream', closeTimeoutMs, () => {
        return this.#ended.promise;
      });
    } finally {
      this.#end();
    }
  }

  abort(): void {
    if (this.#state === 'open') this.#sendQuietly(STATUS.error);
    this.#unread.length = 0;
    this.#unreadBytes = 0;
    this.#end();
  }

  #buffer(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    if (this.#unreadBytes + bytes.length > this.#port.maxBufferedBytes) {
      this.#drop(new LibvirtStreamOverflowError(this.#port.maxBufferedBytes));
      return;
    }
    this.#unreadBytes += bytes.length;
    // A copy: the frame is a view into a chunk of the socket, which would stay alive as a whole.
    this.#unread.push(Uint8Array.from(bytes));
    this.#wakeReader();
  }

  /** Aborts the stream for a reason of ours, which the reader gets. */
  #drop(error: Error): void {
    this.#sendQuietly(STATUS.error);
    this.fail(error);
  }

  #finish(): void {
    this.#state = 'finishing';
    this.#sendQuietly(STATUS.ok);
    this.#wakeReader();
  }

  /** A frame that fails to go means a lost connection, which ends the stream by itself. */
  #sendQuietly(status: number): void {
    this.#port.send(status, new Uint8Array()).catch(() => undefined);
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#lifetime?.cancel();
    this.#port.onEnd();
    this.#ended.resolve();
    this.#wakeReader();
  }
}

/**
 * All bytes of a stream.
 * @throws whatever ends the stream early, or LibvirtStreamOverflowError above `maxBytes`.
 */
export async function readAll(stream: LibvirtStream, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new LibvirtStreamOverflowError(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
