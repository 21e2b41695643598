import type { Duty } from '../jobs/work.ts';
import type { AuditStore } from './store.ts';

const KEPT_MS = 400 * 24 * 3_600_000;
const FORGET_EVERY_MS = 10 * 60_000;

/** Forgets what was done long ago. */
export class AuditDuty implements Duty {
  readonly name = 'audit log';
  readonly #store: AuditStore;
  #doneAtMs = Number.NEGATIVE_INFINITY;

  constructor(store: AuditStore) {
    this.#store = store;
  }

  async sweep(nowMs: number): Promise<void> {
    if (nowMs - this.#doneAtMs < FORGET_EVERY_MS) return;
    this.#doneAtMs = nowMs;
    await this.#store.forget(nowMs - KEPT_MS);
  }
}
