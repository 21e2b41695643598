import { AsyncLocalStorage } from 'node:async_hooks';

/** On behalf of which request something is done. */
export interface RequestContext {
  readonly requestId: string;
  /** W3C trace context, as it came. */
  readonly traceparent?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Does `work` on behalf of a request: until it and all that it begins has ended, log lines name the
 * request and outgoing calls carry its id.
 */
export function inRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The request on whose behalf this code runs; `undefined` in background work. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** The context of a request with these headers. Pure. */
export function requestContext(requestId: string, traceparent: unknown): RequestContext {
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return { requestId };
  return { requestId, traceparent };
}

/** What an outgoing call has to carry beside its own headers, which come first. */
export function contextHeaders(
  own: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const context = currentRequest();
  if (context === undefined) return { ...own };
  const { requestId, traceparent } = context;
  return {
    'x-request-id': requestId,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...own,
  };
}
