import type { AuditedCluster, InvariantStore, QueuedAssignment } from '../../invariants/store.ts';
import type { MemoryCluster, MemoryDatabase } from './database.ts';

/** See {@link InvariantStore}. */
export function createMemoryInvariants(db: MemoryDatabase): InvariantStore {
  return {
    snapshot: async (nowMs) => ({
      nowMs,
      vms: [...db.vms.values()].filter(({ state }) => state !== 'deleted'),
      heldAddresses: db.addresses.held(),
      batches: [...db.batches.values()]
        .filter(({ state }) => state !== 'deleted')
        .map((batch) => ({ ...batch, vmCount: db.vmsOf(batch.id).length })),
      shares: [...db.shares].flatMap(([batchId, all]) => all.map((each) => ({ ...each, batchId }))),
      clusters: [...db.clusters.values()].map((cluster) => audited(db, cluster)),
      assignments: [...db.clusters.keys()].flatMap((clusterId) => queued(db, clusterId)),
      operations: [...db.operations.values()]
        .filter(({ state }) => state === 'running')
        .map(({ id, deadlineAtMs }) => ({ id, deadlineAtMs })),
    }),
  };
}

function audited(db: MemoryDatabase, cluster: MemoryCluster): AuditedCluster {
  const { id, name, lastSeenAtMs, ackedSeq, lastCommandSeq: lastSeq } = cluster;
  const log = db.commands.get(id) ?? [];
  const [first, last] = [log[0], log.at(-1)];
  const range =
    first === undefined || last === undefined
      ? null
      : { count: log.length, first: first.seq, last: last.seq };
  return { id, name, lastSeenAtMs, ackedSeq, lastSeq, queued: range };
}

function queued(db: MemoryDatabase, clusterId: MemoryCluster['id']): readonly QueuedAssignment[] {
  return (db.commands.get(clusterId) ?? []).flatMap(({ seq, command }) =>
    command.kind === 'assignVms'
      ? command.vms
          .filter(({ desired }) => desired !== 'deleted')
          .map(({ vmId, assignmentEpoch }) => ({ clusterId, seq, vmId, assignmentEpoch }))
      : [],
  );
}
