import { TIMESTAMP_TOLERANCE_SECONDS } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { Redis } from 'ioredis';

/** How long a nonce can be replayed: a signature is good from the one edge to the other. */
const NONCE_KEPT_MS = 2 * TIMESTAMP_TOLERANCE_SECONDS * 1000;
/** Bound of the memory that nonces take: at 200 requests a second, 100,000 last over 8 minutes. */
const NONCES_MAX = 1_000_000;

/** Remembers which signed requests were seen. */
export interface NonceStore {
  /** Whether this is the first time that the key uses the nonce; remembers it either way. */
  isFirstUse(keyId: string, nonce: string): Promise<boolean>;
}

/**
 * Nonces in this process. A restarted gateway knows none, so it also refuses every request that was
 * signed before it started: what was captured earlier can't be played to it.
 */
export function createMemoryNonceStore(clock: Clock): NonceStore {
  const expiryMs = new Map<string, number>();
  return {
    isFirstUse: async (keyId, nonce) => {
      const nowMs = clock.monotonicMs();
      // Insertion order is expiry order: only the oldest have to be looked at.
      for (const [entry, atMs] of expiryMs) {
        if (atMs > nowMs && expiryMs.size <= NONCES_MAX) break;
        expiryMs.delete(entry);
      }
      const entry = `${keyId}:${nonce}`;
      if (expiryMs.has(entry)) return false;
      expiryMs.set(entry, nowMs + NONCE_KEPT_MS);
      return true;
    },
  };
}

/** Nonces in Redis, for several gateways. */
export function createRedisNonceStore(redis: Redis): NonceStore {
  return {
    isFirstUse: async (keyId, nonce) => {
      const entry = `factory:nonce:${keyId}:${nonce}`;
      return (await redis.set(entry, '1', 'PX', NONCE_KEPT_MS, 'NX')) === 'OK';
    },
  };
}
