import type { BatchId } from '@factory/contracts';
import { orderOfRound, type WaitingBatch } from './fair-share.ts';
import { type Reservation, reservationFor } from './reserve.ts';
import type { PlanningOutcome, PlanningSnapshot } from './store.ts';

/** Batches that one round plans at most; the next round begins with those left out. */
const BATCHES_PER_ROUND = 100;

/** A batch in its turn: to be planned, or planned just now, with nothing new to decide. */
export interface Turn {
  readonly id: BatchId;
  readonly isDue: boolean;
}

/**
 * The turns of a round, in the order of {@link orderOfRound}: due is what was not planned after
 * `plannedBeforeMs`, of more than a hundred those whose last turn is longest ago. With a newcomer
 * the round ends with its turn: those behind it get theirs at the next. Pure.
 */
export function turnsOf(
  waiting: readonly WaitingBatch[],
  plannedBeforeMs: number,
  newcomer?: BatchId,
): readonly Turn[] {
  const due = waiting
    .filter((each) => each.plannedAtMs <= plannedBeforeMs)
    .toSorted((a, b) => a.plannedAtMs - b.plannedAtMs)
    .slice(0, BATCHES_PER_ROUND);
  const ids = new Set(due.map((each) => each.id));
  if (newcomer !== undefined) ids.add(newcomer);
  const turns = orderOfRound(waiting).map(({ id }) => ({ id, isDue: ids.has(id) }));
  if (newcomer === undefined) return turns;
  const last = turns.findIndex((each) => each.id === newcomer);
  return turns.slice(0, last + 1);
}

/** What is kept for batches, from one turn to the next. */
export class ReservationBook {
  #kept = new Map<BatchId, Reservation>();

  /** Forgets those that wait no more. */
  retain(waiting: readonly { readonly id: BatchId }[]): void {
    const ids = new Set(waiting.map((each) => each.id));
    this.#kept = new Map([...this.#kept].filter(([id]) => ids.has(id)));
  }

  /** Kept for these. */
  of(ids: readonly BatchId[]): readonly Reservation[] {
    return ids.flatMap((id) => this.#kept.get(id) ?? []);
  }

  /** What is kept for a batch after it was planned. */
  planned(snapshot: PlanningSnapshot, unplaced: ReturnType<typeof unplacedAfter>): void {
    const reservation = reservationFor(snapshot, unplaced);
    if (reservation === undefined) this.#kept.delete(snapshot.batch.id);
    else this.#kept.set(snapshot.batch.id, reservation);
  }
}

/** The batch's machines that have no cluster after this, for want of room. */
export function unplacedAfter(snapshot: PlanningSnapshot, outcome: PlanningOutcome) {
  const changed = new Map(outcome.changedVms.map((vm) => [vm.id, vm]));
  const before = snapshot.unassigned.map((vm) => changed.get(vm.id) ?? vm);
  // Those without an address wait for that, not for room.
  return [...before, ...outcome.newVms].filter(
    (vm) => vm.clusterId === null && vm.state === 'pending' && vm.ipAddress !== null,
  );
}
