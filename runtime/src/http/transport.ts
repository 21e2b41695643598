/**
 * Outgoing HTTP as a port. The real one is undici (`undici-transport.ts`), the simulated one hands
 * requests to fastify apps in the same process and loses, doubles and delays them from a seed.
 */
export interface HttpTransport {
  /** One ordinary call with one deadline for everything, the body included. */
  request(request: HttpRequest): Promise<HttpResponse>;
  /**
   * A call whose answer is an endless stream. Never shares a connection pool with `request`.
   * `timeoutMs` bounds the time until the response headers; afterwards the caller watches the
   * stream's own heartbeat and calls `close`.
   */
  stream(request: HttpRequest): Promise<HttpStream>;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute: `http://127.0.0.1:5050/api/v1/scheduler`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends when the peer ends it; throws HttpTransportError when the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
  close(): void;
}

/** There was no answer: refused, reset, timed out. */
export class HttpTransportError extends Error {
  readonly code = 'FACTORY_ERR_HTTP_TRANSPORT';
  readonly url: string;
  /** No connection was made: nothing of the call left. Else it may have been carried out. */
  readonly isUnsent: boolean;
  constructor(url: string, message: string, options?: ErrorOptions & { isUnsent?: boolean }) {
    super(`${url}: ${message}`, options);
    this.name = 'HttpTransportError';
    this.url = url;
    this.isUnsent = options?.isUnsent ?? false;
  }
}
