import { connect, type Socket } from 'node:net';
import { RecordDecoder } from 'mesos-core/protocol';

/**
 * HTTP/1.1 by hand, for load: a client library spends more on a call than the master that is being
 * measured. Only what the bench needs, and only towards a server that is known to behave.
 */

const HEAD_END = Buffer.from('\r\n\r\n');
/** Calls under way on one connection; the rest wait their turn. */
const IN_FLIGHT_MAX = 64;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Whether somebody listens there. */
export function canConnect(address: Address): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(address);
  socket.on('connect', () => resolve(true));
  socket.on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

interface Waiting {
  readonly bytes: Buffer;
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

/** One connection on which calls are pipelined. */
export class Pipeline {
  readonly #address: Address;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #inFlight: Waiting[] = [];
  #queue: Waiting[] = [];

  constructor(address: Address) {
    this.#address = address;
  }

  /** The status of the answer; its body is thrown away. Rejects when the connection breaks. */
  post(path: string, headers: string, body: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#queue.push({ bytes: requestBytes(path, headers, body), resolve, reject });
    this.#pump();
    return promise;
  }

  close(): void {
    this.#socket?.destroy();
  }

  #pump(): void {
    this.#socket ??= this.#open();
    while (this.#inFlight.length < IN_FLIGHT_MAX) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#inFlight.push(next);
      this.#socket.write(next.bytes);
    }
  }

  #open(): Socket {
    const socket = connect(this.#address);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const lost = [...this.#inFlight, ...this.#queue];
      this.#inFlight = [];
      this.#queue = [];
      this.#received = Buffer.alloc(0);
      this.#socket = undefined;
      for (const { reject } of lost) reject(new Error('the connection broke'));
    });
    return socket;
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const head = readHead(this.#received);
      if (head === undefined) break;
      const end = head.length + (head.contentLength ?? 0);
      if (this.#received.length < end) break;
      this.#received = this.#received.subarray(end);
      this.#inFlight.shift()?.resolve(head.status);
    }
    this.#pump();
  }
}

/** An endless answer of RecordIO records. */
export interface RawStream {
  readonly streamId: string;
  close(): void;
}

/** Opens one; rejects when the answer is not 200 or the connection breaks before its head. */
export function openStream(
  address: Address,
  path: string,
  body: string,
  handlers: { readonly onRecord: (record: Uint8Array) => void; readonly onEnd: () => void },
): Promise<RawStream> {
  const { promise, resolve, reject } = Promise.withResolvers<RawStream>();
  const socket = connect(address);
  const chunks = new ChunkDecoder();
  const records = new RecordDecoder();
  let received: Buffer = Buffer.alloc(0);
  let isOpen = false;
  const onBody = (bytes: Buffer): void => {
    for (const chunk of chunks.push(bytes)) {
      for (const record of records.push(chunk)) handlers.onRecord(record);
    }
  };
  socket.on('data', (bytes) => {
    if (isOpen) return onBody(bytes);
    received = Buffer.concat([received, bytes]);
    const head = readHead(received);
    if (head === undefined) return;
    if (head.status !== 200) {
      reject(new Error(`${path} answers ${head.status}`));
      socket.destroy();
      return;
    }
    isOpen = true;
    resolve({ streamId: head.streamId, close: () => socket.destroy() });
    onBody(received.subarray(head.length));
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (isOpen) handlers.onEnd();
    else reject(new Error('the connection broke'));
  });
  socket.write(requestBytes(path, 'accept: application/json\r\n', body));
  return promise;
}

function requestBytes(path: string, headers: string, body: string): Buffer {
  const length = Buffer.byteLength(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\n${headers}`;
  return Buffer.from(`${head}content-length: ${length}\r\n\r\n${body}`);
}

interface Head {
  readonly status: number;
  readonly contentLength: number | undefined;
  readonly streamId: string;
  /** In bytes, the empty line included. */
  readonly length: number;
}

function readHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const text = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return {
    status: Number(text.slice(9, 12)),
    contentLength: length === undefined ? undefined : Number(length),
    streamId: /\r\nmesos-stream-id: ([^\r]*)/i.exec(text)?.[1] ?? '',
    length: end + HEAD_END.length,
  };
}

/** The chunks of `transfer-encoding: chunked`, without trailers and extensions. */
class ChunkDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Buffer[] {
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const chunks: Buffer[] = [];
    for (;;) {
      const lineEnd = rest.indexOf('\r\n');
      if (lineEnd < 0) break;
      const size = Number.parseInt(rest.toString('latin1', 0, lineEnd), 16);
      const end = lineEnd + 2 + size;
      if (rest.length < end + 2) break;
      chunks.push(rest.subarray(lineEnd + 2, end));
      rest = rest.subarray(end + 2);
    }
    this.#pending = rest;
    return chunks;
  }
}
