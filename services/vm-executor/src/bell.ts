import type { Clock } from '@factory/runtime';

/** Wakes one waiter. A ring while nobody waits is kept for the next. */
export interface Bell {
  ring(): void;
  /**
   * Resolves at the next ring, or after `timeoutMs` (never by itself, when undefined); also when
   * the signal aborts, which leaves a ring that comes then to the next waiter.
   */
  wait(timeoutMs: number | undefined, signal?: AbortSignal): Promise<void>;
}

/** A bell on the given clock. */
export function createBell(clock: Clock): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(timeoutMs, signal) {
      if (signal?.aborted) return;
      if (!rung && timeoutMs !== 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const mine = (): void => resolve();
        wake = mine;
        signal?.addEventListener('abort', mine, { once: true });
        const timer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, mine);
        await promise;
        timer?.cancel();
        signal?.removeEventListener('abort', mine);
        if (wake === mine) wake = undefined;
        if (signal?.aborted) return;
      }
      rung = false;
    },
  };
}
