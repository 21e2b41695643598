import { Agent, request as undiciRequest } from 'undici';
import { contextHeaders } from '../request-context.ts';
import { guardedLookup, requireAllowedHost } from './public-address.ts';
import { type ClientTls, connectOptions } from './tls.ts';
import {
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
  type HttpTransport,
  HttpTransportError,
} from './transport.ts';

const MIB = 1024 * 1024;

/**
 * Outgoing HTTP over real sockets. Ordinary calls and streams have pools of their own, so endless
 * streams can't use up the connections of calls. Redirects are given to the caller as they are.
 * `maxConnectionsPerOrigin` (default 64) bounds ordinary calls; waiting for a connection counts
 * against the call's deadline. An answer of more than `maxResponseBytes` (default 64 MiB) is an
 * HttpTransportError. `tls` is for `https:` URLs; default: the system's authorities. With
 * `allowsAddress` only hosts are connected to all of whose addresses it allows.
 */
export function createUndiciTransport(
  options: {
    readonly maxConnectionsPerOrigin?: number;
    readonly maxResponseBytes?: number;
    readonly tls?: ClientTls | undefined;
    readonly allowsAddress?: ((address: string) => boolean) | undefined;
  } = {},
): HttpTransport {
  const { maxConnectionsPerOrigin = 64, maxResponseBytes = 64 * MIB } = options;
  const { tls, allowsAddress } = options;
  // Undici's own timeouts are off: its timers are up to a second late, ours bound the whole call.
  const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
  const connect = {
    connect: {
      ...(tls === undefined ? {} : connectOptions(tls)),
      ...(allowsAddress === undefined ? {} : { lookup: guardedLookup(allowsAddress) }),
    },
  };
  const guard = (request: HttpRequest): void => {
    if (allowsAddress !== undefined) requireAllowedHost(request.url, allowsAddress);
  };
  const calls = new Agent({ connections: maxConnectionsPerOrigin, ...timeouts, ...connect });
  const streams = new Agent({ ...timeouts, ...connect });
  return {
    request: async (request) => {
      guard(request);
      return call(calls, request, maxResponseBytes);
    },
    stream: async (request) => {
      guard(request);
      return openStream(streams, request);
    },
    async close() {
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}

async function call(agent: Agent, request: HttpRequest, maxBytes: number): Promise<HttpResponse> {
  const deadline = startDeadline(request);
  try {
    const response = await send(agent, request, deadline.signal);
    const body = await readAll(request.url, response.body, maxBytes);
    return { status: response.statusCode, headers: flatten(response.headers), body };
  } catch (error) {
    throw toTransportError(request.url, error, deadline.signal);
  } finally {
    deadline.disarm();
    deadline.release();
  }
}

async function openStream(agent: Agent, request: HttpRequest): Promise<HttpStream> {
  const deadline = startDeadline(request);
  try {
    const response = await send(agent, request, deadline.signal);
    deadline.disarm();
    // An error reaches the reader through the iterator; without a listener it would also be an
    // uncaught one when nobody is reading at that moment.
    response.body.on('error', () => undefined);
    response.body.on('close', () => deadline.release());
    let closed = false;
    const body = readStream(request.url, response.body, deadline.signal, () => closed);
    return {
      status: response.statusCode,
      headers: flatten(response.headers),
      body,
      close() {
        closed = true;
        response.body.destroy();
      },
    };
  } catch (error) {
    deadline.disarm();
    deadline.release();
    throw toTransportError(request.url, error, deadline.signal);
  }
}

function send(agent: Agent, request: HttpRequest, signal: AbortSignal) {
  return undiciRequest(request.url, {
    dispatcher: agent,
    method: request.method,
    headers: contextHeaders(request.headers),
    body: request.body ?? null,
    signal,
  });
}

interface Deadline {
  readonly signal: AbortSignal;
  /** Stops the timer: the deadline no longer applies. */
  disarm(): void;
  /** Lets go of the caller's signal. */
  release(): void;
}

/** A signal that aborts at the request's deadline, and with the caller's own signal. */
function startDeadline(request: HttpRequest): Deadline {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(request.signal?.reason);
  if (request.signal?.aborted) onAbort();
  request.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => controller.abort(new Error(`no complete answer within ${request.timeoutMs} ms`)),
    request.timeoutMs,
  );
  return {
    signal: controller.signal,
    disarm: () => clearTimeout(timer),
    release: () => request.signal?.removeEventListener('abort', onAbort),
  };
}

async function readAll(
  url: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new HttpTransportError(url, `the answer is larger than the limit of ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* readStream(
  url: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  isClosed: () => boolean,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    if (isClosed()) return;
    throw toTransportError(url, error, signal);
  }
}

function toTransportError(url: string, error: unknown, signal: AbortSignal): HttpTransportError {
  if (error instanceof HttpTransportError) return error;
  const cause = signal.aborted ? signal.reason : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HttpTransportError(url, message, { cause, isUnsent: isConnectError(cause) });
}

/** Errors of making a connection; one that breaks later has others, as `UND_ERR_SOCKET`. */
const CONNECT_ERRORS = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH'],
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isConnectError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && CONNECT_ERRORS.has(code);
}

function flatten(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return flat;
}
