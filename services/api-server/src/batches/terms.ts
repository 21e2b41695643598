import type { Logger } from '@factory/runtime';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import { decideFill } from './fill.ts';
import type { HoldStore } from './hold-store.ts';
import type { ReportStore } from './report-store.ts';
import type { TermStore } from './term-store.ts';

/** Looked at in one sweep at most; those whose deadlines come first are looked at first. */
const FILLS_MAX = 500;
/** Kept in one sweep at most. */
const REPORTS_MAX = 100;
/** Ended in one sweep at most; the next one goes on. */
const EXPIRED_MAX = 100;

/** Settles fill policies of batches, ends those whose lifetime is over, and keeps their reports. */
export class BatchTermsDuty implements Duty {
  readonly name = 'terms of batches';
  readonly #store: TermStore;
  readonly #reports: ReportStore;
  readonly #holds: HoldStore;
  readonly #logger: Logger;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'terms' | 'reports' | 'holds'>;
    readonly logger: Logger;
  }) {
    this.#store = parts.store.terms;
    this.#reports = parts.store.reports;
    this.#holds = parts.store.holds;
    this.#logger = parts.logger;
  }

  async sweep(nowMs: number): Promise<void> {
    await this.#settle(nowMs);
    await this.#holds.expire(nowMs);
    await this.#reports.keep(nowMs, REPORTS_MAX);
    const warned = await this.#store.warn(nowMs);
    if (warned.length > 0) this.#logger.info({ batchIds: warned }, 'warned of the end of batches');
    const expired = await this.#store.expire(nowMs, EXPIRED_MAX);
    if (expired.length > 0) this.#logger.info({ batchIds: expired }, 'lifetimes of batches ended');
  }

  async #settle(nowMs: number): Promise<void> {
    for (const open of await this.#store.openFills(FILLS_MAX)) {
      if (decideFill(open.terms, open.counts, nowMs).kind === 'wait') continue;
      const { batchId } = open;
      // Asked again with the batch locked: it may have moved on.
      const decision = await this.#store.settleFill(batchId, nowMs, ({ terms, counts }) =>
        decideFill(terms, counts, nowMs),
      );
      this.#logger.info({ batchId, ...decision }, 'settled the fill policy of a batch');
    }
  }
}
