import type { BatchId } from '@factory/contracts';
import { VM_STATE_TABLE } from '@factory/contracts';
import { type Clock, createLimiter, type IdGenerator, type Logger } from '@factory/runtime';
import { SILENT_AFTER_MS } from '../clusters/connection.ts';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import { decidePlan } from './plan.ts';
import type { PlanningStore, SweepLimits } from './store.ts';

/** Batches that one round plans at most; the next round begins with those left out. */
const BATCHES_PER_ROUND = 100;
/** A sweep leaves batches alone that were planned just now. */
const REPLAN_AFTER_MS = 4_000;

const MINUTE_MS = 60_000;
/** The cluster keeps the deadline itself and says so, unless it is silent or has lost the machine. */
const CLUSTER_MARGIN_MS = 10 * MINUTE_MS;
const SWEEP_LIMITS: SweepLimits = {
  pendingMs: deadlineOf('pending'),
  scheduledMs: deadlineOf('scheduled') + CLUSTER_MARGIN_MS,
  silentMs: SILENT_AFTER_MS,
  idempotencyKeptMs: 24 * 60 * MINUTE_MS,
  operationsKeptMs: 60 * MINUTE_MS,
  // Timestamps are accepted 5 minutes either way.
  noncesKeptMs: 15 * MINUTE_MS,
};

/** Does the background work. Every job may be repeated at any time. */
export class PlanningService implements Duty {
  readonly name = 'planning';
  readonly #store: Pick<ApiStore, 'planning'>;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #logger: Logger;
  /** Plannings follow one another anyway: those that wait shall not hold connections meanwhile. */
  readonly #oneAtATime = createLimiter(1);

  constructor(parts: {
    readonly store: Pick<ApiStore, 'planning'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly logger: Logger;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#logger = parts.logger;
  }

  /** Decides what the batch gets now. */
  async planBatch(batchId: BatchId): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    let summary = {};
    const isPlanned = await this.#plan(batchId, (snapshot) => {
      const outcome = decidePlan(snapshot, this.#newId);
      const made = outcome.newVms.length;
      const assigned = [...outcome.newVms, ...outcome.changedVms].filter(
        (vm) => vm.clusterId !== null,
      ).length;
      summary = { made, assigned, reason: outcome.batch.pendingReason };
      return outcome;
    });
    const tookMs = Math.round(this.#clock.monotonicMs() - startedMs);
    if (isPlanned) this.#logger.info({ batchId, ...summary, tookMs }, 'planned a batch');
  }

  #plan(batchId: BatchId, decide: Parameters<PlanningStore['plan']>[2]): Promise<boolean> {
    return this.#oneAtATime(() => this.#store.planning.plan(batchId, this.#clock.nowMs(), decide));
  }

  /** The same for those that wait and were not planned after `plannedBeforeMs`. */
  async planWaiting(plannedBeforeMs: number): Promise<void> {
    const waiting = await this.#store.planning.waitingBatches(plannedBeforeMs, BATCHES_PER_ROUND);
    for (const batchId of waiting) await this.planBatch(batchId);
  }

  async sweep(nowMs: number): Promise<void> {
    const result = await this.#store.planning.sweep(nowMs, SWEEP_LIMITS);
    if (result.vmsFailed + result.batchesClosed + result.operationsExpired > 0) {
      this.#logger.info(result, 'swept');
    }
    await this.planWaiting(nowMs - REPLAN_AFTER_MS);
  }
}

function deadlineOf(state: 'pending' | 'scheduled'): number {
  const rule = VM_STATE_TABLE[state];
  return rule.kind === 'transitional' ? rule.deadlineMs : 30 * MINUTE_MS;
}
