/**
 * Time as a port: nothing outside `runtime/` and `main.ts` touches the global timers, so a whole
 * factory can run on virtual time from a seed (test/simulation).
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. May jump; use it for records only. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start. Never goes back; use it for deadlines and durations. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
}

/** A pending callback of a {@link Clock}. */
export interface Timer {
  cancel(): void;
}

/** The operating system's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    // setTimeout fires at once when its delay doesn't fit 31 bits (24.8 days): go there in steps.
    let leftMs = Math.max(0, delayMs);
    const step = (): NodeJS.Timeout => {
      const stepMs = Math.min(leftMs, MAX_TIMEOUT_MS);
      leftMs -= stepMs;
      return setTimeout(() => {
        if (leftMs === 0) callback();
        else handle = step();
      }, stepMs);
    };
    let handle = step();
    return { cancel: () => clearTimeout(handle) };
  },
};

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Resolves after `delayMs`.
 * @throws the signal's reason, at once, when `signal` aborts.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Thrown by {@link withDeadline}: what was waited for did not come in time. */
export class DeadlineExceededError extends Error {
  readonly code = 'FACTORY_ERR_DEADLINE';
  readonly what: string;
  readonly timeoutMs: number;
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not finish within ${timeoutMs} ms`);
    this.name = 'DeadlineExceededError';
    this.what = what;
    this.timeoutMs = timeoutMs;
  }
}

/**
 * The result of `work`, which gets a signal that aborts at the deadline.
 * @throws DeadlineExceededError when `work` has not settled after `timeoutMs`.
 */
export async function withDeadline<T>(
  clock: Clock,
  what: string,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = clock.after(timeoutMs, () => {
    const error = new DeadlineExceededError(what, timeoutMs);
    controller.abort(error);
    reject(error);
  });
  try {
    return await Promise.race([work(controller.signal), expired]);
  } finally {
    timer.cancel();
  }
}

/**
 * Polls `condition` until it gives something other than `undefined`, and gives that.
 * @throws DeadlineExceededError after `timeoutMs`.
 */
export async function waitFor<T>(
  clock: Clock,
  what: string,
  timeoutMs: number,
  condition: () => Promise<T | undefined> | T | undefined,
  intervalMs = 50,
): Promise<T> {
  const start = clock.monotonicMs();
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (clock.monotonicMs() - start >= timeoutMs) throw new DeadlineExceededError(what, timeoutMs);
    await sleep(clock, intervalMs);
  }
}
