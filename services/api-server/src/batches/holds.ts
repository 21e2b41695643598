import {
  type BatchRequest,
  type Hold,
  type HoldId,
  type HoldRequest,
  ID_PREFIXES,
  PROBLEMS,
  type ProjectId,
  VM_MEMORY_OVERHEAD_MIB,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import { type Preview, previewPlan, roomOf } from '../planning/preview.ts';
import { quotaExceeded } from '../quota/rules.ts';
import type { HoldPart, HoldStore } from './hold-store.ts';
import { showPlan } from './plan.ts';
import type { BatchService } from './service.ts';

/** How long room is kept when the request does not say. */
const HOLD_SECONDS = 300;

/** Keeps room for batches that are to be asked for soon. */
export class HoldService {
  readonly #parts: {
    readonly store: { readonly holds: HoldStore };
    readonly batches: BatchService;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  };

  constructor(parts: {
    readonly store: { readonly holds: HoldStore };
    readonly batches: BatchService;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  }) {
    this.#parts = parts;
  }

  /** Keeps room for all of a batch. @throws ProblemError when there is too little, or as creation. */
  async hold(projectId: ProjectId, asked: HoldRequest): Promise<Hold> {
    const { store, batches, clock, newId } = this.#parts;
    const { holdSeconds = HOLD_SECONDS, ...request } = asked;
    const nowMs = clock.nowMs();
    const { batch, claim } = await batches.draft(projectId, request, nowMs);
    const id = newId(ID_PREFIXES.hold) as HoldId;
    const expiresAtMs = nowMs + holdSeconds * 1000;
    const hold = { id, projectId, request, claim, createdAtMs: nowMs, expiresAtMs, batchId: null };
    const result = await store.holds.create(hold, batch, previewPlan);
    switch (result.kind) {
      case 'held': {
        const plan = showPlan(result.preview, claim, undefined, []);
        return { id, expiresAt: new Date(expiresAtMs).toISOString(), plan };
      }
      case 'noRoom':
        throw new ProblemError(PROBLEMS.noRoom, result.reason);
      case 'overQuota':
        throw quotaExceeded(result.excess);
    }
  }

  /** The request that it is kept for. @throws ProblemError when there is no such hold. */
  async requestOf(projectId: ProjectId, id: HoldId): Promise<BatchRequest> {
    const found = await this.#parts.store.holds.find(projectId, id);
    if (found === undefined) throw holdGone(id);
    return { ...found.request, holdId: id };
  }

  /** Gives its room back. @throws ProblemError 404 */
  async release(projectId: ProjectId, id: HoldId): Promise<void> {
    if (await this.#parts.store.holds.release(projectId, id)) return;
    throw new ProblemError(PROBLEMS.notFound, `There is no hold ${id} that is not used.`);
  }
}

/** What a preview takes of each cluster. */
export function holdParts({ clusters }: Preview): readonly HoldPart[] {
  return clusters.map((part) => {
    const { vcpus, memoryMiB } = roomOf(part);
    const machines = part.machines.reduce((sum, { count }) => sum + count, 0);
    return {
      clusterId: part.clusterId,
      vcpus,
      memoryMiB: memoryMiB + machines * VM_MEMORY_OVERHEAD_MIB,
    };
  });
}

/** The answer to who comes too late. */
export function holdGone(id: string | undefined): ProblemError {
  const detail = `The hold ${id} is over, or a batch was made of it already; hold again.`;
  return new ProblemError(PROBLEMS.holdGone, detail, { field: 'holdId' });
}
