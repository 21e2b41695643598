import type { BatchId } from '@factory/contracts';
import { VM_STATE_TABLE } from '@factory/contracts';
import { type Clock, createLimiter, type IdGenerator, type Logger } from '@factory/runtime';
import { SILENT_AFTER_MS } from '../clusters/connection.ts';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import { decidePlan } from './plan.ts';
import { choosePreempted, PREEMPT_AFTER_MS } from './preempt.ts';
import { type Reservation, withReservations } from './reserve.ts';
import { ReservationBook, turnsOf, unplacedAfter } from './rounds.ts';
import type { PlanningSnapshot, SweepLimits } from './store.ts';

/** Waiting batches that a round looks at. */
const WAITING_MAX = 1_000;
/** Those that wait are not planned again for each newcomer. */
const JUST_PLANNED_MS = 1_000;
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

/** What a planning has seen and left. */
interface Seen {
  readonly snapshot: PlanningSnapshot;
  readonly unplaced: ReturnType<typeof unplacedAfter>;
}

/** Does the background work. Every job may be repeated at any time. */
export class PlanningService implements Duty {
  readonly name = 'planning';
  readonly #store: Pick<ApiStore, 'planning'>;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #logger: Logger;
  readonly #reservations = new ReservationBook();
  /**
   * When machines were last deleted for batches: between the word that these are gone and the one
   * that there is room, it would seem that more had to go.
   */
  readonly #preemptedAtMs = new Map<BatchId, number>();
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

  /**
   * Decides what the batch gets now, after those that stand before it and were not planned just now:
   * a newcomer does not take what others wait for.
   */
  planBatch(batchId: BatchId): Promise<void> {
    return this.#oneAtATime(() => this.#round(this.#clock.nowMs() - JUST_PLANNED_MS, batchId));
  }

  /** The same for those that wait and were not planned after `plannedBeforeMs`, in their order. */
  planWaiting(plannedBeforeMs: number): Promise<void> {
    return this.#oneAtATime(() => this.#round(plannedBeforeMs));
  }

  async #round(plannedBeforeMs: number, newcomer?: BatchId): Promise<void> {
    const waiting = await this.#store.planning.waiting(this.#clock.nowMs(), WAITING_MAX);
    this.#reservations.retain(waiting);
    for (const id of this.#preemptedAtMs.keys()) {
      if (!waiting.some((each) => each.id === id)) this.#preemptedAtMs.delete(id);
    }
    const isKnown = waiting.some((each) => each.id === newcomer);
    if (newcomer !== undefined && !isKnown) {
      // There are too many to see it among them, or somebody has planned it.
      return this.#planInTurn(newcomer, this.#reservations.of(waiting.map((each) => each.id)));
    }
    const before: BatchId[] = [];
    for (const { id, isDue } of turnsOf(waiting, plannedBeforeMs, newcomer)) {
      if (isDue) await this.#planInTurn(id, this.#reservations.of(before));
      before.push(id);
    }
  }

  async #planInTurn(batchId: BatchId, kept: readonly Reservation[]): Promise<void> {
    const clock = this.#clock;
    const startedMs = clock.monotonicMs();
    let summary = {};
    let seen: Seen | undefined;
    const isPlanned = await this.#store.planning.plan(batchId, clock.nowMs(), (snapshot) => {
      const outcome = decidePlan(withReservations(snapshot, kept), this.#newId);
      const unplaced = unplacedAfter(snapshot, outcome);
      this.#reservations.planned(snapshot, unplaced);
      seen = { snapshot, unplaced };
      const made = outcome.newVms.length;
      const assigned = [...outcome.newVms, ...outcome.changedVms].filter(
        (vm) => vm.clusterId !== null,
      ).length;
      summary = { made, assigned, reason: outcome.batch.pendingReason };
      return outcome;
    });
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    if (isPlanned) this.#logger.info({ batchId, ...summary, tookMs }, 'planned a batch');
    if (seen !== undefined) await this.#preemptFor(seen.snapshot, seen.unplaced);
  }

  /** Deletes what may be deleted for a batch, when that gives it room that nothing else does. */
  async #preemptFor(snapshot: PlanningSnapshot, unplaced: Seen['unplaced']): Promise<void> {
    const { planning } = this.#store;
    const { batch, nowMs, clusters } = snapshot;
    const sinceMs = Math.max(batch.createdAtMs, this.#preemptedAtMs.get(batch.id) ?? 0);
    if (unplaced.length === 0 || nowMs - sinceMs < PREEMPT_AFTER_MS) return;
    const others = await planning.preemptible(clusters.map(({ id }) => id));
    const chosen = choosePreempted(snapshot, unplaced, others);
    if (chosen.length === 0) return;
    const preempted = await planning.preempt(chosen);
    this.#preemptedAtMs.set(batch.id, nowMs);
    this.#logger.info({ batchId: batch.id, preempted }, 'deleted machines for a batch');
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
