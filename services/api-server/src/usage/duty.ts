import type { Duty } from '../jobs/work.ts';
import type { UsageStore } from './store.ts';

const ROLL_UP_EVERY_MS = 60_000;
const KEPT_S = 400 * 24 * 3_600;

/** Brings the sums of hours up to date, and forgets intervals of long ago. */
export class UsageDuty implements Duty {
  readonly name = 'usage';
  readonly #store: UsageStore;
  #doneAtMs = Number.NEGATIVE_INFINITY;

  constructor(store: UsageStore) {
    this.#store = store;
  }

  async sweep(nowMs: number): Promise<void> {
    if (nowMs - this.#doneAtMs < ROLL_UP_EVERY_MS) return;
    const nowS = Math.floor(nowMs / 1000);
    await this.#store.rollUp(nowS);
    await this.#store.forget(nowS - KEPT_S);
    this.#doneAtMs = nowMs;
  }
}
