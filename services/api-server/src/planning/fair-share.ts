import type { BatchId, ProjectId } from '@factory/contracts';

/**
 * What a project held counts half after this time: who had the clusters all morning stands behind
 * who did not, and is even with them by the next day.
 */
export const USAGE_HALF_LIFE_MS = 60 * 60_000;

/** The part of an old average that is left after `elapsedMs`. Pure. */
export function leftAfter(elapsedMs: number): number {
  return 0.5 ** (Math.max(0, elapsedMs) / USAGE_HALF_LIFE_MS);
}

/**
 * The vCPUs that a project held on average, with the newest time counting most: what it was before,
 * and `heldVcpus` since then. Pure.
 */
export function averageUsage(
  before: { readonly usedVcpus: number; readonly countedAtMs: number },
  heldVcpus: number,
  nowMs: number,
): number {
  const left = leftAfter(nowMs - before.countedAtMs);
  return before.usedVcpus * left + heldVcpus * (1 - left);
}

/** A batch that waits, with what its project has. */
export interface WaitingBatch {
  readonly id: BatchId;
  readonly projectId: ProjectId;
  readonly priority: number;
  /** Those that are stand behind those that are not: else room made for others would go to them. */
  readonly preemptible: boolean;
  readonly createdAtMs: number;
  readonly plannedAtMs: number;
  /** Of its project: a project of weight 2 may have twice as much as one of 1. */
  readonly weight: number;
  /** Averaged over the past. */
  readonly usedVcpus: number;
  /** At this moment. */
  readonly heldVcpus: number;
}

/**
 * The order in which waiting batches are planned: by priority; then those of the project that has
 * had, and has, least for its weight; then the older ones. Pure; every order of the same batches
 * gives the same result.
 */
export function orderOfRound<Waiting extends WaitingBatch>(
  waiting: readonly Waiting[],
): readonly Waiting[] {
  return waiting.toSorted(
    (a, b) =>
      b.priority - a.priority ||
      Number(a.preemptible) - Number(b.preemptible) ||
      shareOf(a) - shareOf(b) ||
      a.createdAtMs - b.createdAtMs ||
      (a.id < b.id ? -1 : 1),
  );
}

/** What counts between projects: the vCPUs of before and of now, for its weight. */
export function shareOf({ weight, usedVcpus, heldVcpus }: WaitingBatch): number {
  return (usedVcpus + heldVcpus) / weight;
}
