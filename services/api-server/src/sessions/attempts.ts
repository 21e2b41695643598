/** How often somebody tried to sign in since the last time it worked. */
export interface Attempts {
  readonly failures: number;
  readonly lastAtMs: number;
}

/** How many attempts are free, and how long one waits at most after the others. */
export interface AttemptLimit {
  readonly free: number;
  readonly waitMsMax: number;
}

/** A name that is guessed at: a person mistypes a few times. */
export const ACCOUNT_LIMIT: AttemptLimit = { free: 5, waitMsMax: 60_000 };
/** Many people may be behind one address. */
export const ADDRESS_LIMIT: AttemptLimit = { free: 30, waitMsMax: 15 * 60_000 };

export const ATTEMPTS_KEPT_MS = 24 * 3_600_000;
export const NO_ATTEMPTS: Attempts = { failures: 0, lastAtMs: 0 };

/** Milliseconds until the next attempt may be made: it doubles with each that failed. Pure. */
export function attemptWaitMs(attempts: Attempts, limit: AttemptLimit, nowMs: number): number {
  const sinceMs = nowMs - attempts.lastAtMs;
  if (attempts.failures < limit.free || sinceMs >= ATTEMPTS_KEPT_MS) return 0;
  const doublings = Math.min(attempts.failures - limit.free, 30);
  return Math.max(0, Math.min(1_000 * 2 ** doublings, limit.waitMsMax) - sinceMs);
}

/** One more attempt, which counts as failed until it is known that it was not. Pure. */
export function withAttempt(attempts: Attempts, nowMs: number): Attempts {
  const isOld = nowMs - attempts.lastAtMs >= ATTEMPTS_KEPT_MS;
  return { failures: (isOld ? 0 : attempts.failures) + 1, lastAtMs: nowMs };
}
