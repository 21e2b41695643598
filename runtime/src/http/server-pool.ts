import type { Clock, Timer } from '../clock.ts';
import { type HttpRequest, type HttpTransport, HttpTransportError } from './transport.ts';

/** After a call that failed a server is left alone for this long, while there are others. */
const REST_MS = 2_000;
const CHECK_TIMEOUT_MS = 2_000;

/** Several servers that do the same, as one. */
export interface ServerPool extends HttpTransport {
  /** The same address at a server that is well now, for what isn't called through the pool. */
  place(url: string): string;
}

export interface ServerPoolOptions {
  readonly clock: Clock;
  /** Not closed with the pool. */
  readonly transport: HttpTransport;
  /** Base URLs of the servers, without a slash at the end; at least one. */
  readonly urls: readonly string[];
  /** False for signed calls: their signature is good once. Default true. */
  readonly repeats?: boolean;
  /** Each server is asked for this path at this interval, and gets calls while it answers 200. */
  readonly check?: { readonly path: string; readonly intervalMs: number };
}

/** What is known of a server. */
export interface ServerState {
  readonly isReady: boolean;
  readonly restingUntilMs: number;
  /** Calls that it is at. */
  readonly calls: number;
}

/**
 * A transport over several servers that do the same: a call to the first of `urls` goes to whichever
 * has least to do, and on to another when the first did not take it. A call that may have been
 * carried out is repeated only if that does no harm: it reads, it puts or deletes (RFC 9110, 9.2.2),
 * or its sender says with an `idempotency-key` that it may be. Calls to elsewhere pass as they are.
 */
export function createServerPool(options: ServerPoolOptions): ServerPool {
  const { clock, transport, urls, repeats = true } = options;
  const [name = ''] = urls;
  const servers = urls.map((url) => ({ url, isReady: true, restingUntilMs: 0, calls: 0 }));
  const checks = urls.length > 1 ? startChecks(servers, options) : undefined;
  let turn = 0;
  const next = (tried: ReadonlySet<number>): number | undefined => {
    turn += 1;
    return chooseServer(servers, clock.monotonicMs(), turn, tried);
  };
  const at = (url: string, index: number): string =>
    `${servers[index]?.url ?? name}${url.slice(name.length)}`;
  const isOurs = (url: string): boolean => url === name || url.startsWith(`${name}/`);

  async function call<T>(
    request: HttpRequest,
    send: (request: HttpRequest) => Promise<T>,
  ): Promise<T> {
    if (!isOurs(request.url)) return send(request);
    const untilMs = clock.monotonicMs() + request.timeoutMs;
    const tried = new Set<number>();
    for (let last: unknown; ; ) {
      const index = next(tried);
      const timeoutMs = untilMs - clock.monotonicMs();
      const server = index === undefined ? undefined : servers[index];
      if (index === undefined || server === undefined || timeoutMs <= 0) throw last;
      tried.add(index);
      server.calls += 1;
      try {
        return await send({ ...request, url: at(request.url, index), timeoutMs });
      } catch (error) {
        if (!(error instanceof HttpTransportError) || request.signal?.aborted) throw error;
        server.restingUntilMs = clock.monotonicMs() + REST_MS;
        const isSafe = error.isUnsent || (repeats && isRepeatable(request));
        if (tried.size === servers.length || !isSafe) throw error;
        last = error;
      } finally {
        server.calls -= 1;
      }
    }
  }

  return {
    request: (request) => call(request, (each) => transport.request(each)),
    stream: (request) => call(request, (each) => transport.stream(each)),
    place: (url) => (isOurs(url) ? at(url, next(new Set()) ?? 0) : url),
    close: async () => checks?.cancel(),
  };
}

/**
 * The server for the next call, of those not `tried`: a ready one that does not rest, else one that
 * is ready, else any; of equals the one with the fewest calls, in turn. Pure.
 */
export function chooseServer(
  servers: readonly ServerState[],
  nowMs: number,
  turn: number,
  tried: ReadonlySet<number>,
): number | undefined {
  const rank = ({ isReady, restingUntilMs, calls }: ServerState, index: number) => [
    isReady ? 0 : 1,
    restingUntilMs > nowMs ? 1 : 0,
    calls,
    (index + turn) % servers.length,
  ];
  let best: { readonly index: number; readonly rank: readonly number[] } | undefined;
  for (const [index, server] of servers.entries()) {
    if (tried.has(index)) continue;
    const mine = rank(server, index);
    if (best === undefined || isLower(mine, best.rank)) best = { index, rank: mine };
  }
  return best?.index;
}

function isLower(one: readonly number[], other: readonly number[]): boolean {
  const differing = one.findIndex((value, place) => value !== other[place]);
  return differing >= 0 && (one[differing] ?? 0) < (other[differing] ?? 0);
}

/** Whether a call may be carried out twice. Pure. */
export function isRepeatable({
  method,
  headers,
}: Pick<HttpRequest, 'method' | 'headers'>): boolean {
  const isIdempotent = method !== 'POST' && method !== 'PATCH';
  return isIdempotent || headers?.['idempotency-key'] !== undefined;
}

interface Checked {
  readonly url: string;
  isReady: boolean;
  restingUntilMs: number;
}

/** Asks each server again and again; a silent one is not ready. */
function startChecks(servers: readonly Checked[], options: ServerPoolOptions): Timer | undefined {
  const { clock, transport, check } = options;
  if (check === undefined) return undefined;
  let isOver = false;
  let timer: Timer | undefined;
  const look = async (server: Checked): Promise<void> => {
    const url = `${server.url}${check.path}`;
    const request = { method: 'GET', url, timeoutMs: CHECK_TIMEOUT_MS } as const;
    // Whatever is wrong with it: it gets no calls until it answers.
    const answer = await transport.request(request).catch(() => undefined);
    server.isReady = answer?.status === 200;
    if (server.isReady) server.restingUntilMs = 0;
  };
  const round = (): void => {
    if (isOver) return;
    timer = clock.after(check.intervalMs, () => {
      void Promise.all(servers.map(look)).finally(round);
    });
  };
  round();
  return {
    cancel() {
      isOver = true;
      timer?.cancel();
    },
  };
}
