import { type Clock, sleep } from './clock.ts';
import type { Logger } from './log.ts';
import type { Random } from './random.ts';

/** Gives the waiting time before each next attempt. */
export interface Backoff {
  /** Milliseconds to wait before the next attempt; grows with every call. */
  nextMs(): number;
  /** Starts over: call it after a success. */
  reset(): void;
}

/**
 * Exponential back-off with full jitter: uniform in [0, min(maxMs, baseMs · 2^attempt)). Full
 * jitter spreads a crowd of clients best (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
 */
export function createBackoff(options: {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: Random;
}): Backoff {
  let attempt = 0;
  return {
    nextMs() {
      const ceilingMs = Math.min(options.maxMs, options.baseMs * 2 ** attempt);
      if (ceilingMs < options.maxMs) attempt += 1;
      return options.random.next() * ceilingMs;
    },
    reset() {
      attempt = 0;
    },
  };
}

/**
 * Runs `attempt` until it succeeds and gives its result; every failure is logged with `what` and
 * followed by a pause from `backoff`.
 * @throws the signal's reason when `signal` aborts between attempts.
 */
export async function retryForever<T>(
  options: {
    readonly what: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly backoff: Backoff;
    readonly signal: AbortSignal;
  },
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (;;) {
    options.signal.throwIfAborted();
    try {
      const result = await attempt(options.signal);
      options.backoff.reset();
      return result;
    } catch (error) {
      options.signal.throwIfAborted();
      const retryInMs = Math.round(options.backoff.nextMs());
      options.logger.warn({ err: error, retryInMs }, `${options.what} failed; trying again`);
      await sleep(options.clock, retryInMs, options.signal);
    }
  }
}
