import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Clock, Timer } from '../clock.ts';
import {
  type ByteChannel,
  CHANNEL_ROOM_BYTES,
  type ChannelEnd,
  ChunkQueue,
} from './byte-channel.ts';

/** Messages of more are refused by the protocol itself. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** What a close frame can say. */
const REASON_BYTES_MAX = 123;
/** A peer that answers no ping within this long is gone. */
const PING_INTERVAL_MS = 20_000;
/** A peer that does not answer a close within this long is cut off. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Nobody said why: the process or the network between broke. */
const BROKEN = { code: 1006, reason: 'the connection broke' } as const;

/** The other side did not take the connection. */
export class WebSocketRefusedError extends Error {
  readonly code = 'FACTORY_ERR_WEBSOCKET_REFUSED';
  constructor(url: string, message: string, options?: ErrorOptions) {
    super(`${url}: ${message}`, options);
    this.name = 'WebSocketRefusedError';
  }
}

/** Where to and how a WebSocket is opened. */
export interface DialOptions {
  /** `http:`, `https:`, `ws:` or `wss:`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is asked for, as noVNC does: `binary`. */
  readonly protocols?: readonly string[];
  readonly timeoutMs: number;
}

/** Opens channels to others; the real one is {@link createWebSocketDialer}. */
export interface ChannelDialer {
  /** @throws WebSocketRefusedError */
  dial(options: DialOptions): Promise<ByteChannel>;
}

/** Opens WebSockets. */
export function createWebSocketDialer(clock: Clock): ChannelDialer {
  return { dial: (options) => dial(options, clock) };
}

function dial({ url, headers, protocols = [], timeoutMs }: DialOptions, clock: Clock) {
  const { promise, resolve, reject } = Promise.withResolvers<ByteChannel>();
  const at = url.replace(/^http/, 'ws');
  const socket = new WebSocket(at, [...protocols], {
    headers: { ...headers },
    handshakeTimeout: timeoutMs,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  // The first bytes may come in the same turn as the answer.
  const channel = toChannel(socket, clock);
  socket.once('open', () => resolve(channel));
  socket.once('unexpected-response', (_request, response) => {
    reject(new WebSocketRefusedError(url, `answered ${response.statusCode}`));
    response.resume();
    socket.terminate();
  });
  socket.once('error', (cause) => reject(new WebSocketRefusedError(url, cause.message, { cause })));
  return promise;
}

/** The server's side of a handshake. */
export interface WebSocketAcceptor {
  /** Answers an upgrade; gives the channel when the handshake is done. A wrong one is refused. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<ByteChannel>;
}

/** Takes WebSockets; of the subprotocols offered it takes `binary`, or the first. */
export function createWebSocketAcceptor(clock: Clock): WebSocketAcceptor {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: (offered) =>
      offered.has('binary') ? 'binary' : (offered.values().next().value ?? false),
  });
  return {
    accept: (request, socket, head) =>
      new Promise((resolve, reject) => {
        socket.once('close', () => reject(new Error('the peer went away during the handshake')));
        server.handleUpgrade(request, socket, head, (opened) => resolve(toChannel(opened, clock)));
      }),
  };
}

/** A WebSocket as a channel of bytes; texts count as their UTF-8. */
function toChannel(socket: WebSocket, clock: Clock): ByteChannel {
  const ended = Promise.withResolvers<ChannelEnd>();
  const queue = new ChunkQueue(() => socket.resume());
  let unsentBytes = 0;
  let room: PromiseWithResolvers<void> | undefined;
  let ours: ChannelEnd | undefined;
  const stopPinging = keepAlive(socket, clock);

  socket.on('message', (data: Buffer) => {
    if (!queue.push(data)) socket.pause();
  });
  // What follows is the close event, which everybody waits for.
  socket.on('error', () => undefined);
  socket.on('close', (code, reason) => {
    stopPinging();
    queue.end();
    room?.resolve();
    const theirs = code === BROKEN.code ? BROKEN : { code, reason: reason.toString('utf8') };
    ended.resolve(ours ?? theirs);
  });
  const sent = (bytes: number): void => {
    unsentBytes -= bytes;
    if (unsentBytes < CHANNEL_ROOM_BYTES / 2) room?.resolve();
  };

  return {
    received: queue,
    ended: ended.promise,
    async send(bytes) {
      if (socket.readyState !== WebSocket.OPEN) return;
      unsentBytes += bytes.length;
      socket.send(bytes, { binary: true }, () => sent(bytes.length));
      if (unsentBytes < CHANNEL_ROOM_BYTES) return;
      room = Promise.withResolvers<void>();
      await room.promise;
    },
    close(end) {
      if (ours !== undefined || socket.readyState >= WebSocket.CLOSING) return;
      ours = end;
      // A paused socket would not see the peer's answer.
      socket.resume();
      queue.end();
      socket.close(sendable(end.code), cut(end.reason));
      clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
    },
  };
}

/** Pings the peer, and cuts it off when it did not answer the last one. */
function keepAlive(socket: WebSocket, clock: Clock): () => void {
  let isAlive = true;
  let timer: Timer;
  const beat = (): void => {
    if (!isAlive) {
      socket.terminate();
      return;
    }
    // A paused socket hears no pong: its silence says nothing.
    isAlive = socket.isPaused;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
    else isAlive = true;
    timer = clock.after(PING_INTERVAL_MS, beat);
  };
  timer = clock.after(PING_INTERVAL_MS, beat);
  socket.on('pong', () => {
    isAlive = true;
  });
  return () => timer.cancel();
}

/** Codes that only say what happened here can't be sent (RFC 6455, 7.4.1). */
function sendable(code: number): number {
  const isReserved = code === 1004 || code === 1005 || code === 1006 || code === 1015;
  const isKnown = (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999);
  return isKnown && !isReserved ? code : 1011;
}

/** As much of a text as fits, without half a character at its end. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES_MAX) return reason;
  return bytes
    .subarray(0, REASON_BYTES_MAX)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}
