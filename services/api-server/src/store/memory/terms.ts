import type { BatchId } from '@factory/contracts';
import { countFill, type FillDecision, WAITING_STATES } from '../../batches/fill.ts';
import type { BatchRecord, BatchTerms } from '../../batches/store.ts';
import type { OpenFill, TermStore } from '../../batches/term-store.ts';
import { machinesOrCores } from '../../quota/rules.ts';
import { deleteBatch, endPlanning, wishAway } from './batch-ending.ts';
import type { MemoryDatabase } from './database.ts';
import { keepReport } from './reports.ts';

/** See {@link TermStore}. */
export function createMemoryTerms(db: MemoryDatabase): TermStore {
  return {
    openFills: async (limit) =>
      open(db, ({ isFillOpen }) => isFillOpen)
        .sort((a, b) => (a.terms.deadlineAtMs ?? 0) - (b.terms.deadlineAtMs ?? 0))
        .slice(0, limit)
        .map(({ batch, terms }) => fillOf(db, batch, terms)),
    settleFill: async (id, nowMs, decide) => {
      const [found] = open(db, ({ isFillOpen }, batch) => isFillOpen && batch.id === id);
      if (found === undefined) return { kind: 'wait' };
      const decision = decide(fillOf(db, found.batch, found.terms));
      settle(db, found, decision, nowMs);
      return decision;
    },
    warn: async (nowMs) => {
      const due = open(
        db,
        ({ warnAtMs, warnedAtMs }) => warnAtMs !== null && warnAtMs <= nowMs && warnedAtMs === null,
      );
      for (const { batch, terms } of due) {
        db.terms.set(batch.id, { ...terms, warnedAtMs: nowMs });
        const expiresAt = new Date(terms.expiresAtMs ?? nowMs).toISOString();
        db.ledger.add(batch.projectId, 'batch.expiring', batch.id, { name: batch.name, expiresAt });
      }
      return due.map(({ batch }) => batch.id);
    },
    expire: async (nowMs, limit) => {
      const due = open(db, ({ expiresAtMs }) => expiresAtMs !== null && expiresAtMs <= nowMs);
      const ended = due.slice(0, limit);
      for (const { batch } of ended) deleteBatch(db, batch, nowMs);
      return ended.map(({ batch }) => batch.id);
    },
  };
}

/** Batches that are not being deleted. */
function open(
  db: MemoryDatabase,
  isMeant: (terms: BatchTerms, batch: { readonly id: BatchId }) => boolean,
) {
  return [...db.batches.values()]
    .map((batch) => ({ batch, terms: db.viewOf(batch).terms }))
    .filter(({ batch: { state } }) => state !== 'deleting' && state !== 'deleted')
    .filter(({ batch, terms }) => isMeant(terms, batch));
}

function fillOf(db: MemoryDatabase, batch: BatchRecord, terms: BatchTerms): OpenFill {
  const { id, size, needsPlanning } = batch;
  const tallies = db.vmsOf(id).map((vm) => ({
    state: vm.state,
    isWithdrawn: vm.desired === 'deleted',
    units: size.kind === 'count' ? 1 : vm.vcpus,
  }));
  return { batchId: id, terms, counts: countFill(machinesOrCores(size), needsPlanning, tallies) };
}

function settle(
  db: MemoryDatabase,
  { batch, terms }: { readonly batch: BatchRecord; readonly terms: BatchTerms },
  decision: FillDecision,
  nowMs: number,
): void {
  if (decision.kind === 'wait') return;
  const failure = decision.kind === 'release' ? decision.reason : null;
  db.terms.set(batch.id, { ...terms, isFillOpen: false, failure });
  const vms = db.vmsOf(batch.id);
  if (decision.kind === 'release') {
    keepReport(db, batch.id, nowMs);
    wishAway(db, vms, nowMs);
    endPlanning(db, batch, 'failed');
  }
  if (decision.kind !== 'take') return;
  const waiting = vms.filter((vm) => WAITING_STATES.includes(vm.state) && vm.desired !== 'deleted');
  for (const vm of waiting.filter(({ clusterId }) => clusterId === null)) {
    const { reason = null, message } = vm;
    const why = { reason: reason ?? 'NO_CAPACITY', message: message ?? decision.reason } as const;
    db.putVm({ ...vm, state: 'failed', stateSinceMs: nowMs, ...why });
  }
  wishAway(
    db,
    waiting.filter(({ clusterId }) => clusterId !== null),
    nowMs,
  );
  endPlanning(db, batch, 'active');
}
