import { TIMESTAMP_TOLERANCE_SECONDS } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { Redis } from 'ioredis';

/** How long a nonce can be replayed: a signature is good from the one edge to the other. */
const NONCE_KEPT_MS = 2 * TIMESTAMP_TOLERANCE_SECONDS * 1000;
/** Bound of the memory that nonces take: at 200 requests a second, 100,000 last over 8 minutes. */
const NONCES_MAX = 1_000_000;

/**
 * What is known of a nonce. `unsure`: it was signed before the store's memory began, so that it may
 * have been used before; what was captured earlier can't be played to a store that is empty.
 */
export type NonceUse = 'first' | 'again' | 'unsure';

/** Remembers which signed requests were seen. */
export interface NonceStore {
  /** Whether this is the first time that the key uses the nonce; remembers it either way. */
  use(keyId: string, nonce: string, signedAtSeconds: number): Promise<NonceUse>;
}

/** Nonces in this process, which knows of none that came before its start. */
export function createMemoryNonceStore(clock: Clock): NonceStore {
  const expiryMs = new Map<string, number>();
  const sinceMs = clock.nowMs();
  return {
    use: async (keyId, nonce, signedAtSeconds) => {
      const nowMs = clock.monotonicMs();
      // Insertion order is expiry order: only the oldest have to be looked at.
      for (const [entry, atMs] of expiryMs) {
        if (atMs > nowMs && expiryMs.size <= NONCES_MAX) break;
        expiryMs.delete(entry);
      }
      const entry = `${keyId}:${nonce}`;
      const isKnown = expiryMs.has(entry);
      if (!isKnown) expiryMs.set(entry, nowMs + NONCE_KEPT_MS);
      return useOf(isKnown, sinceMs, signedAtSeconds);
    },
  };
}

/** Goes with the nonces, when Redis is emptied or comes back without its data. */
const SINCE_KEY = 'factory:nonces-since';

/** Nonces in Redis, for several gateways, that outlive them. */
export function createRedisNonceStore(redis: Redis, clock: Clock): NonceStore {
  // Now rather than with the first request, which was signed a moment before it comes. When Redis is
  // away that request does it.
  redis.set(SINCE_KEY, clock.nowMs(), 'NX').catch(() => undefined);
  return {
    use: async (keyId, nonce, signedAtSeconds) => {
      const results = await redis
        .multi()
        .set(SINCE_KEY, clock.nowMs(), 'NX')
        .get(SINCE_KEY)
        .set(`factory:nonce:${keyId}:${nonce}`, '1', 'PX', NONCE_KEPT_MS, 'NX')
        .exec();
      const failure = results?.find(([error]) => error !== null)?.[0];
      if (failure !== undefined && failure !== null) throw failure;
      return useOf(results?.[2]?.[1] !== 'OK', Number(results?.[1]?.[1]), signedAtSeconds);
    },
  };
}

/** Timestamps are whole seconds: within the second of its beginning nobody is turned away. */
function useOf(isKnown: boolean, sinceMs: number, signedAtSeconds: number): NonceUse {
  if (isKnown) return 'again';
  return signedAtSeconds < Math.floor(sinceMs / 1000) ? 'unsure' : 'first';
}
