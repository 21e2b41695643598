import {
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  NONCE_HEADER,
  PROBLEMS,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import {
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  HttpTransportError,
  ProblemError,
} from '@factory/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKey } from './key-directory.ts';

/** Longer than the longest wait that a caller may ask for (25 s). */
const FORWARD_TIMEOUT_MS = 60_000;

/** Headers that callers may send on; everything else stops at the gateway. */
const FORWARDED_HEADERS = [
  ...['content-type', 'accept', 'idempotency-key', 'if-match', 'traceparent', 'last-event-id'],
  'if-none-match',
];
/** What a cluster signs with. */
export const LINK_HEADERS = [
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
  NONCE_HEADER,
];
/** Headers of answers that belong to the connection, not to the answer. */
export const HOP_HEADERS = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
]);

export interface ProxyTarget {
  readonly transport: HttpTransport;
  /** The address at one of several api-servers, for what does not go through the transport. */
  readonly place: (url: string) => string;
  readonly apiServer: string;
  readonly internalToken: string;
}

/** Sends a request of a known caller on to the api-server, and its answer back. */
export async function forwardAs(
  key: ApiKey,
  target: ProxyTarget,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return forward(target, request, reply, headersAs(key, target, request));
}

/** What the api-server is told with a request of a known caller. */
export function headersAs(
  key: ApiKey,
  target: ProxyTarget,
  request: FastifyRequest,
): Record<string, string> {
  return {
    ...pick(request, FORWARDED_HEADERS),
    authorization: `Bearer ${target.internalToken}`,
    'x-factory-principal': JSON.stringify(key.principal),
    'x-factory-client-address': request.ip,
  };
}

/** Sends a cluster's request on as it is: the api-server checks its signature itself. */
export async function forwardLink(
  target: ProxyTarget,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return forward(target, request, reply, pick(request, [...FORWARDED_HEADERS, ...LINK_HEADERS]));
}

/** Sends on an attempt to sign in, with the address that it came from. */
export async function forwardSignIn(
  target: ProxyTarget,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const headers = {
    ...pick(request, [...FORWARDED_HEADERS, 'cookie']),
    authorization: `Bearer ${target.internalToken}`,
    'x-factory-client-address': request.ip,
  };
  return forward(target, request, reply, headers);
}

/** Sends on what anybody may read. */
export async function forwardPublic(
  target: ProxyTarget,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return forward(target, request, reply, pick(request, FORWARDED_HEADERS));
}

async function forward(
  target: ProxyTarget,
  request: FastifyRequest,
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
): Promise<FastifyReply> {
  const body = bodyOf(request);
  const gone = goneSignal(reply);
  try {
    const answer = await target.transport.request({
      method: methodOf(request.method),
      url: targetUrl(target, request.url),
      headers: { ...headers, 'x-request-id': request.id },
      timeoutMs: FORWARD_TIMEOUT_MS,
      signal: gone,
      ...(body.length > 0 ? { body } : {}),
    });
    for (const [name, value] of Object.entries(answer.headers)) {
      if (!HOP_HEADERS.has(name)) reply.header(name, value);
    }
    return reply.status(answer.status).send(bodyToSend(answer));
  } catch (error) {
    if (!(error instanceof HttpTransportError)) throw error;
    // Nobody is left to answer.
    if (gone.aborted) return reply.hijack();
    const detail = 'The API server does not answer. It is being restarted, or try again shortly.';
    throw new ProblemError(PROBLEMS.notReady, detail, { cause: error });
  }
}

/** Node writes a short text together with the headers, and bytes in a second buffer. */
const TEXT_BYTES_MAX = 16 * 1024;

function bodyToSend({ headers, body }: HttpResponse): string | Buffer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const isJson = /^application\/(problem\+)?json/.test(headers['content-type'] ?? '');
  return isJson && bytes.length <= TEXT_BYTES_MAX ? bytes.toString('utf8') : bytes;
}

/** Paths that no HTTP client rewrites: without escapes, and no segment that begins with a dot. */
const PLAIN_PATH = /^(\/(?!\.)[A-Za-z0-9_:.-]+)+$/;

/**
 * The same path at the api-server. A path that HTTP clients would rewrite (`..`, `%2e%2e`, `\\`) is
 * refused: it would end up somewhere else than where the router and the signature saw it go, such as
 * in the internal part of the API, with the gateway's rights.
 */
export function targetUrl(target: ProxyTarget, pathWithQuery: string): string {
  const url = `${target.apiServer}${pathWithQuery}`;
  const [path] = pathWithQuery.split('?', 1);
  if (path !== undefined && PLAIN_PATH.test(path)) return url;
  if (URL.canParse(url) && new URL(url).pathname === path) return url;
  const detail = 'The path is not in its plain form: no dot segments, no backslashes.';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'path' });
}

/** Aborts when the caller goes away before it has its answer: nobody would read it. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the caller has gone away'));
  });
  return gone.signal;
}

/** The body exactly as it came: signatures are over its bytes. */
export function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array();
}

function methodOf(method: string): HttpRequest['method'] {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'POST':
    case 'PUT':
    case 'PATCH':
    case 'DELETE':
      return method;
    default:
      throw new ProblemError(PROBLEMS.invalidRequest, `The method ${method} is not used here.`);
  }
}

function pick(request: FastifyRequest, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = request.headers[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}
