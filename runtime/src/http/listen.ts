import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/** A server that accepts connections. */
export interface ListeningServer {
  /** `http://127.0.0.1:8080`; `https:` for an app with TLS. */
  readonly url: string;
  readonly port: number;
  /** Stops; bounded, see {@link listen}. */
  close(): Promise<void>;
}

const GRACE_MS = 2000;
/**
 * Connections that wait to be accepted; the kernel takes no more than net.core.somaxconn, 4096 by
 * default. With Node's 511 most of 5,000 agents that come back at once tried again only after 1 s,
 * then 3, then 7: their first packets were dropped.
 */
const BACKLOG = 4096;

/**
 * Opens the app's port (0: the system chooses). `close` refuses new connections at once, gives
 * running requests `graceMs` (default 2 s), and then cuts all connections: idle ones, long polls
 * and streams.
 */
export async function listen(
  app: FastifyInstance,
  options: { readonly host: string; readonly port: number; readonly graceMs?: number },
): Promise<ListeningServer> {
  const { host, port, graceMs = GRACE_MS } = options;
  await app.listen({ host, port, backlog: BACKLOG });
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
