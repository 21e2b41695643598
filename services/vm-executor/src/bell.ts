import type { Clock } from '@factory/runtime';

/** Wakes one waiter. A ring while nobody waits is kept for the next. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, or after `timeoutMs` (never by itself, when undefined). */
  wait(timeoutMs: number | undefined): Promise<void>;
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
    async wait(timeoutMs) {
      if (!rung && timeoutMs !== 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, resolve);
        await promise;
        timer?.cancel();
        wake = undefined;
      }
      rung = false;
    },
  };
}
