import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { StartError } from '../start-error.ts';

/** A server that accepts connections. */
export interface ListeningServer {
  /** `http://127.0.0.1:8080`; `https:` for an app with TLS. */
  readonly url: string;
  readonly port: number;
  /** Stops; bounded, see {@link listen}. */
  close(): Promise<void>;
}

/** Where to listen; port 0: the system chooses. */
interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** What sets the two, for errors: `--port or MESOS_PORT`. */
  readonly setBy?: { readonly host: string; readonly port: string };
}

const GRACE_MS = 2000;
/**
 * Connections that wait to be accepted; the kernel takes no more than net.core.somaxconn, 4096 by
 * default. With Node's 511 most of 5,000 agents that come back at once tried again only after 1 s,
 * then 3, then 7: their first packets were dropped.
 */
const BACKLOG = 4096;

/**
 * Opens the app's port. `close` refuses new connections at once, gives
 * running requests `graceMs` (default 2 s), and then cuts all connections: idle ones, long polls
 * and streams.
 * @throws StartError when the port is in use, or can't be opened by this process or on this machine.
 */
export async function listen(
  app: FastifyInstance,
  options: ListenAddress & { readonly graceMs?: number },
): Promise<ListeningServer> {
  const { host, port, graceMs = GRACE_MS } = options;
  try {
    await app.listen({ host, port, backlog: BACKLOG });
  } catch (error) {
    const problem = listenProblem(options, codeOf(error));
    if (problem === undefined) throw error;
    throw new StartError(problem, { cause: error });
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') {
    throw new Error(`listening on ${host}, but not on a TCP port: ${address}`);
  }
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  return {
    url: `${app.server instanceof TlsServer ? 'https' : 'http'}://${shownHost}:${address.port}`,
    port: address.port,
    close() {
      closing ??= closeWithin(app, graceMs);
      return closing;
    },
  };
}

async function closeWithin(app: FastifyInstance, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

/** Why it can't listen and what to do about it, in one sentence; `undefined` when that is unknown. Pure. */
export function listenProblem(
  { host, port, setBy }: ListenAddress,
  code: string | undefined,
): string | undefined {
  const by = (name: string | undefined): string => (name === undefined ? '' : ` with ${name}`);
  switch (code) {
    case 'EADDRINUSE':
      return (
        `port ${port} of ${host} is in use (${code}): end the process that listens there ` +
        `(ss -ltnp shows it), or choose another port${by(setBy?.port)}`
      );
    case 'EACCES':
      return (
        `this user may not open port ${port} of ${host} (${code}): choose one from 1024 ` +
        `on${by(setBy?.port)}, or give the process CAP_NET_BIND_SERVICE`
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return (
        `this machine has no address ${host} (${code}): give one that it ` +
        `has (0.0.0.0: all)${by(setBy?.host)}`
      );
    default:
      return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
