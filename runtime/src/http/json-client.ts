import type { HttpRequest, HttpResponse, HttpTransport } from './transport.ts';

/** A call that sends and receives JSON. */
export interface JsonRequest {
  readonly method: HttpRequest['method'];
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as the body; `undefined` sends none. */
  readonly json?: unknown;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The peer answered, and its answer is an error (RFC 9457 when it is one of ours). */
export class RemoteProblemError extends Error {
  readonly status: number;
  /** The peer's stable code; `FACTORY_ERR_REMOTE_<status>` when it names none. */
  readonly code: string;
  readonly detail: string;
  readonly field: string | undefined;
  /** The parsed answer when it is JSON, else its text. */
  readonly body: unknown;
  constructor(url: string, status: number, body: unknown) {
    const text = typeof body === 'string' ? body.slice(0, 500) : undefined;
    const detail = stringProperty(body, 'detail') ?? text ?? `answered with status ${status}`;
    super(`${url}: ${status}: ${detail}`);
    this.name = 'RemoteProblemError';
    this.status = status;
    this.code = stringProperty(body, 'code') ?? `FACTORY_ERR_REMOTE_${status}`;
    this.detail = detail;
    this.field = stringProperty(body, 'field');
    this.body = body;
  }
}

/** The peer answered with success, and with something that is not JSON. */
export class RemoteAnswerError extends Error {
  readonly code = 'FACTORY_ERR_REMOTE_ANSWER';
  constructor(url: string, status: number, options?: ErrorOptions) {
    super(`${url}: answered ${status} with a body that is not JSON`, options);
    this.name = 'RemoteAnswerError';
  }
}

/**
 * Calls the peer and gives its answer through `decode`, which checks the shape and throws when it
 * is wrong; an empty answer (204) is decoded as `undefined`.
 * @throws HttpTransportError when there is no answer, RemoteProblemError when its status is not
 * 2xx, RemoteAnswerError when it is not JSON, and whatever `decode` throws.
 */
export async function requestJson<T>(
  transport: HttpTransport,
  request: JsonRequest,
  decode: (value: unknown) => T,
): Promise<T> {
  const response = await transport.request({
    method: request.method,
    url: request.url,
    headers: {
      accept: 'application/json',
      ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    timeoutMs: request.timeoutMs,
    ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  if (response.status < 200 || response.status > 299) {
    throw new RemoteProblemError(request.url, response.status, readBody(response));
  }
  return decode(parseAnswer(request.url, response));
}

function parseAnswer(url: string, response: HttpResponse): unknown {
  if (response.body.byteLength === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(response.body));
  } catch (cause) {
    throw new RemoteAnswerError(url, response.status, { cause });
  }
}

function readBody(response: HttpResponse): unknown {
  const text = new TextDecoder().decode(response.body);
  try {
    return JSON.parse(text);
  } catch {
    // Not every peer speaks JSON when it fails (proxies, Mesos): its text is the body then.
    return text;
  }
}

function stringProperty(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = Object.entries(value).find(([key]) => key === name)?.[1];
  return typeof found === 'string' ? found : undefined;
}
