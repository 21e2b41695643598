import type { Clock } from '@factory/runtime';
import type { Redis } from 'ioredis';

/** Rates are averaged over this window, so that short bursts pass. */
const WINDOW_MS = 10_000;
const KEYS_MAX = 100_000;

/** Counts the requests of each key. */
export interface RateLimiter {
  /** Milliseconds to wait before the next request, 0 when it may go on. Counts the request. */
  waitMs(keyId: string): Promise<number>;
}

/** Fixed windows in this process. */
export function createMemoryRateLimiter(clock: Clock, requestsPerSecond: number): RateLimiter {
  const limit = (requestsPerSecond * WINDOW_MS) / 1000;
  const windows = new Map<string, { startMs: number; count: number }>();
  return {
    waitMs: async (keyId) => {
      const nowMs = clock.monotonicMs();
      const known = windows.get(keyId);
      if (known === undefined || nowMs - known.startMs >= WINDOW_MS) {
        windows.delete(keyId);
        const oldest = windows.keys().next().value;
        if (windows.size >= KEYS_MAX && oldest !== undefined) windows.delete(oldest);
        windows.set(keyId, { startMs: nowMs, count: 1 });
        return 0;
      }
      known.count += 1;
      return known.count <= limit ? 0 : known.startMs + WINDOW_MS - nowMs;
    },
  };
}

/** Fixed windows in Redis, shared by several gateways. */
export function createRedisRateLimiter(redis: Redis, requestsPerSecond: number): RateLimiter {
  const limit = (requestsPerSecond * WINDOW_MS) / 1000;
  return {
    waitMs: async (keyId) => {
      const key = `factory:rate:${keyId}`;
      const results = await redis
        .multi()
        .set(key, 0, 'PX', WINDOW_MS, 'NX')
        .incr(key)
        .pttl(key)
        .exec();
      const failure = results?.find(([error]) => error !== null)?.[0];
      if (failure !== undefined && failure !== null) throw failure;
      const count = Number(results?.[1]?.[1]);
      const leftMs = Number(results?.[2]?.[1]);
      return count <= limit ? 0 : Math.max(1, leftMs);
    },
  };
}
