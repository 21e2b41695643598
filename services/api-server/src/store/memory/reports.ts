import type { BatchId } from '@factory/contracts';
import {
  buildReport,
  fateOf,
  REPORT_PERCENTILES,
  REST_STATES,
  type ReportInput,
} from '../../batches/report.ts';
import type { ReportStore } from '../../batches/report-store.ts';
import type { BatchRecord } from '../../batches/store.ts';
import type { MemoryDatabase } from './database.ts';

const ENDED: readonly BatchRecord['state'][] = ['active', 'failed', 'deleted'];

/** See {@link ReportStore}. */
export function createMemoryReports(db: MemoryDatabase): ReportStore {
  return {
    find: async (projectId, id, nowMs) => {
      const batch = db.batches.get(id);
      if (batch?.projectId !== projectId) return undefined;
      return db.reports.get(id) ?? buildReport(inputOf(db, batch), nowMs, false);
    },
    recentSeconds: async (sinceMs) =>
      [...db.reports].flatMap(([id, { seconds }]) =>
        seconds !== null && (db.batches.get(id)?.createdAtMs ?? 0) > sinceMs ? [seconds.last] : [],
      ),
    keep: async (nowMs, limit) => {
      const due = [...db.batches.values()].filter(
        ({ id, state, needsPlanning }) =>
          ENDED.includes(state) &&
          !needsPlanning &&
          !db.reports.has(id) &&
          db.vmsOf(id).every((vm) => REST_STATES.includes(vm.state)),
      );
      for (const { id } of due.slice(0, limit)) keepReport(db, id, nowMs);
      return Math.min(due.length, limit);
    },
  };
}

/** Keeps the report of a batch as it is now, unless there is one. */
export function keepReport(db: MemoryDatabase, id: BatchId, nowMs: number): void {
  const batch = db.batches.get(id);
  if (batch === undefined || db.reports.has(id)) return;
  db.reports.set(id, buildReport(inputOf(db, batch), nowMs, true));
}

function inputOf(db: MemoryDatabase, batch: BatchRecord): ReportInput {
  const vms = db.vmsOf(batch.id);
  const tallies = vms.map((vm) => {
    const { clusterId, vcpus } = vm;
    const fate = fateOf(vm);
    const clusterName = clusterId === null ? null : (db.clusters.get(clusterId)?.name ?? null);
    const reason = fate === 'failed' ? vm.reason : null;
    return { clusterId, clusterName, fate, reason, machines: 1, vcpus };
  });
  const after = vms
    .flatMap(({ timeline, createdAtMs }) =>
      timeline.started === undefined ? [] : [timeline.started - createdAtMs],
    )
    .sort((a, b) => a - b);
  const at = (share: number) => after[Math.max(0, Math.ceil(share * after.length) - 1)] ?? 0;
  const startedAfterMs = after.length === 0 ? null : REPORT_PERCENTILES.map(at);
  return { batch, failure: db.terms.get(batch.id)?.failure ?? null, tallies, startedAfterMs };
}
