import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { HttpRequest } from '../http/transport.ts';

/** The head of an app's answer, and its body as it is written. */
export interface InjectedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/** A request that an app in this process is working on. */
export interface Injection {
  /** Rejects when the app can't be reached or the connection is cut before the head is sent. */
  readonly response: Promise<InjectedResponse>;
  /** Cuts the connection: the app sees `close` on its raw request and response. */
  abort(): void;
}

/** Hands `request` to `app` without sockets. */
export function inject(app: FastifyInstance, request: HttpRequest): Injection {
  const bytes = request.body === undefined ? undefined : Buffer.from(request.body);
  const url = new URL(request.url);
  // light-my-request destroys the request, and with it the response, when its payload stream
  // reports an error; a stream that can still do so after its end is our wire to pull.
  const payload = new Readable({ read: () => undefined, autoDestroy: false });
  if (bytes !== undefined) payload.push(bytes);
  payload.push(null);
  const response = app
    .inject({
      method: request.method,
      url: url.pathname + url.search,
      authority: url.host,
      headers: { ...request.headers, ...lengthHeader(request, bytes) },
      payload,
      payloadAsStream: true,
    })
    .then((answer) => ({
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: answer.stream(),
    }));
  return { response, abort: () => payload.emit('error', undefined) };
}

function lengthHeader(
  request: HttpRequest,
  bytes: Uint8Array | undefined,
): Readonly<Record<string, string>> {
  // As real clients do: a body always has a length, and methods that expect one say 0.
  if (bytes !== undefined) return { 'content-length': String(bytes.byteLength) };
  return request.method === 'GET' || request.method === 'DELETE' ? {} : { 'content-length': '0' };
}

function flatten(
  headers: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = [value].flat().join(', ');
  }
  return flat;
}
