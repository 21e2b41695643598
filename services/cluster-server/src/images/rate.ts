import { type Clock, sleep } from '@factory/runtime';

/** How fast bytes may pass, all together. */
export interface Rate {
  /** From now on; `undefined`: as fast as they can. */
  set(bytesPerSecond: number | undefined): void;
  /** Waits until the next bytes may pass after these. @throws the signal's reason when it aborts. */
  pass(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Nothing may pass until what passed before is paid for: no burst beyond one part. */
export function createRate(clock: Clock): Rate {
  let limit: number | undefined;
  let paidUntilMs = 0;
  return {
    set(bytesPerSecond) {
      if (bytesPerSecond === limit) return;
      limit = bytesPerSecond;
      paidUntilMs = Math.min(paidUntilMs, clock.monotonicMs());
    },
    async pass(bytes, signal) {
      if (limit === undefined) return;
      const nowMs = clock.monotonicMs();
      paidUntilMs = Math.max(paidUntilMs, nowMs) + (bytes * 1000) / limit;
      await sleep(clock, paidUntilMs - nowMs, signal);
    },
  };
}
