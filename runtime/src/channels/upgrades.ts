import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/** Connections that are upgraded at a time; more get a 503. */
const UPGRADED_MAX = 2_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** A request to upgrade, in the hands of whoever answers it. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came behind the request's head already. */
  readonly head: Buffer;
  /** The path's last part. */
  readonly id: string;
}

/** Answers upgrades to WebSocket by the beginning of their path. */
export interface Upgrades {
  /** Upgrades of `<prefix><id>`; what `handle` throws closes the connection. */
  on(prefix: string, handle: (upgrade: UpgradeRequest) => Promise<void> | void): void;
}

/**
 * Takes upgrades of an app made by `createHttpApp`; others than to WebSocket are answered as plain
 * requests. Closing the app cuts all that were taken.
 */
export function createUpgrades(app: FastifyInstance): Upgrades {
  const handlers: { prefix: string; handle: (upgrade: UpgradeRequest) => Promise<void> | void }[] =
    [];
  const open = new Set<Duplex>();
  // Java's client would like `Upgrade: h2c` with every call. As soon as somebody listens for
  // upgrades, Node takes all of them out of fastify's hands, unless it is told which.
  Object.assign(app.server, { shouldUpgradeCallback: isForWebSocket });
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Who breaks off is not worth a word; the close follows.
    socket.on('error', () => undefined);
    const path = request.url?.split('?', 1)[0] ?? '';
    const found = handlers.find(({ prefix }) => path.startsWith(prefix));
    const id = path.slice(found?.prefix.length);
    if (found === undefined || !/^[\w-][\w.-]{0,255}$/.test(id)) return refuseUpgrade(socket, 404);
    if (open.size >= UPGRADED_MAX) return refuseUpgrade(socket, 503);
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const handled = async (): Promise<void> => found.handle({ request, socket, head, id });
    handled().catch(() => socket.destroy());
  });
  app.addHook('preClose', async () => {
    for (const socket of open) socket.destroy();
  });
  return { on: (prefix, handle) => void handlers.push({ prefix, handle }) };
}

function isForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Answers an upgrade with an error, without a body. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  const text = STATUS_CODES[status] ?? '';
  socket.end(`HTTP/1.1 ${status} ${text}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/**
 * Hands an upgrade on to another server, as it is but for `headers`, and then passes bytes both ways
 * without looking at them. The slower side holds the faster one up; each ends with the other.
 */
export function passUpgrade(
  { request, socket, head }: UpgradeRequest,
  target: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
): void {
  const send = target.url.startsWith('https:') ? httpsRequest : httpRequest;
  const outgoing = send(target.url, {
    method: 'GET',
    headers: { ...handshakeOf(request), ...target.headers },
    timeout: CONNECT_TIMEOUT_MS,
  });
  const isGone = (): void => void outgoing.destroy();
  socket.once('close', isGone);
  outgoing.once('upgrade', (answer, far: Duplex, farHead: Buffer) => {
    socket.off('close', isGone);
    socket.write(headOf(answer));
    if (farHead.length > 0) socket.write(farHead);
    if (head.length > 0) far.write(head);
    tie(socket, far);
  });
  outgoing.once('response', (answer) => {
    answer.resume();
    refuseUpgrade(socket, answer.statusCode ?? 502);
  });
  outgoing.once('timeout', () => outgoing.destroy());
  outgoing.once('error', () => refuseUpgrade(socket, 503));
  outgoing.end();
}

/** Passes bytes both ways until either side is gone. */
function tie(one: Duplex, other: Duplex): void {
  other.on('error', () => undefined);
  one.once('close', () => other.destroy());
  other.once('close', () => one.destroy());
  one.pipe(other).pipe(one);
}

/** The headers that make a WebSocket's handshake. */
function handshakeOf(request: IncomingMessage): Record<string, string> {
  const names = Object.keys(request.headers).filter((name) => name.startsWith('sec-websocket-'));
  const picked: Record<string, string> = { connection: 'Upgrade', upgrade: 'websocket' };
  for (const name of names) {
    const value = request.headers[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}

/** An answer's status line and headers, as they came. */
function headOf(answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    lines.push(`${answer.rawHeaders[index]}: ${answer.rawHeaders[index + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
