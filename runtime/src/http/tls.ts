import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';

/** PEM texts of a side that speaks TLS. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

/** How a server speaks TLS. */
export interface ServerTls extends TlsIdentity {
  /** Whom client certificates must be signed by; without it clients need none. */
  readonly clientAuthorities?: string | undefined;
}

/** How a client speaks TLS. */
export interface ClientTls {
  /** Shown to servers that ask for a certificate. */
  readonly identity?: TlsIdentity | undefined;
  /** PEM texts of whom to trust, instead of the system's authorities. */
  readonly authorities?: string | undefined;
  /** `false`: encrypted, but with whomever. */
  readonly verifiesServer: boolean;
}

/** Fastify's own default; one given by a factory has to say it itself. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/** Makes the server of a fastify app (`serverFactory`) that speaks TLS. */
export function tlsServerFactory(tls: ServerTls): (handler: RequestListener) => Server {
  const { certificate, privateKey, clientAuthorities } = tls;
  const options = {
    cert: certificate,
    key: privateKey,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    ...(clientAuthorities === undefined
      ? {}
      : { ca: clientAuthorities, requestCert: true, rejectUnauthorized: true }),
  };
  return (handler) => createServer(options, handler);
}

/** The same for undici's connections. */
export function connectOptions({ identity, authorities, verifiesServer }: ClientTls) {
  return {
    rejectUnauthorized: verifiesServer,
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.privateKey }),
  };
}
