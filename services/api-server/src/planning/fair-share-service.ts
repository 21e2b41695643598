import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';

/** Usage is counted this often: often enough for a half-life of an hour. */
const COUNT_EVERY_MS = 60_000;

/** Keeps the account of what projects have held. */
export class FairShareService implements Duty {
  readonly name = 'counting what projects hold';
  readonly #store: Pick<ApiStore, 'fairShares'>;
  #countedAtMs = 0;

  constructor(store: Pick<ApiStore, 'fairShares'>) {
    this.#store = store;
  }

  async sweep(nowMs: number): Promise<void> {
    if (nowMs - this.#countedAtMs < COUNT_EVERY_MS) return;
    this.#countedAtMs = nowMs;
    await this.#store.fairShares.count(nowMs, COUNT_EVERY_MS / 2);
  }
}
