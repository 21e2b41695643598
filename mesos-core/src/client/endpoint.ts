import type { HttpRequest, HttpResponse, HttpTransport } from '@factory/runtime';
import { type Encoding, encodeMessage, MEDIA_TYPES, type MessageTypes } from '../protocol/index.ts';
import { CallRefusedError } from './errors.ts';

/** What an `Authorization` header is made of. */
export type Credential =
  | { readonly principal: string; readonly secret: string }
  | { readonly token: string };

/** One HTTP API of a master or an agent, and how to speak to it. */
export interface Endpoint {
  readonly transport: HttpTransport;
  readonly url: string;
  readonly encoding: Encoding;
  readonly credential: Credential | undefined;
}

/** Names of the messages that are sent. */
export type CallName = 'scheduler.Call' | 'executor.Call' | 'master.Call' | 'agent.Call';

/** The request that carries `call`. */
export function requestOf<N extends CallName>(
  endpoint: Endpoint,
  name: N,
  call: MessageTypes[N],
  options: {
    readonly timeoutMs: number;
    readonly streamId?: string | undefined;
    readonly signal?: AbortSignal;
  },
): HttpRequest {
  const mediaType = MEDIA_TYPES[endpoint.encoding];
  return {
    method: 'POST',
    url: endpoint.url,
    headers: {
      'content-type': mediaType,
      accept: mediaType,
      ...(options.streamId === undefined ? {} : { 'mesos-stream-id': options.streamId }),
      ...authorizationHeader(endpoint.credential),
    },
    body: encodeMessage(name, endpoint.encoding, call),
    timeoutMs: options.timeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
}

/** The header that shows a credential; none without one. */
export function authorizationHeader(credential: Credential | undefined): Record<string, string> {
  if (credential === undefined) return {};
  if ('token' in credential) return { authorization: `Bearer ${credential.token}` };
  const pair = Buffer.from(`${credential.principal}:${credential.secret}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

/**
 * Makes one call on the ordinary pool.
 * @throws CallRefusedError when the answer is not 200 or 202; HttpTransportError when none comes.
 */
export async function post<N extends CallName>(
  endpoint: Endpoint,
  name: N,
  call: MessageTypes[N],
  options: Parameters<typeof requestOf>[3],
): Promise<HttpResponse> {
  const response = await endpoint.transport.request(requestOf(endpoint, name, call, options));
  if (response.status === 200 || response.status === 202) return response;
  throw refusal(call.type, response.status, response.headers, response.body);
}

/** The error for an answer that is no success. */
export function refusal(
  what: string,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): CallRefusedError {
  const { location } = headers;
  return new CallRefusedError(what, {
    status,
    text: Buffer.from(body).toString('utf8').slice(0, 1000),
    ...(location === undefined ? {} : { location }),
  });
}
