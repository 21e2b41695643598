import type { ProjectId } from '@factory/contracts';
import { averageUsage, leftAfter, type WaitingBatch } from '../../planning/fair-share.ts';
import type { PlanningSnapshot } from '../../planning/store.ts';
import type {
  ClusterPolicyRecord,
  ClusterPolicyView,
  FairShareStore,
  PolicyStore,
} from '../../policies/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link PolicyStore}. */
export function createMemoryPolicies(db: MemoryDatabase): PolicyStore {
  const view = (policy: ClusterPolicyRecord): ClusterPolicyView => ({
    ...policy,
    clusterName: db.clusters.get(policy.clusterId)?.name ?? '',
  });
  const keyOf = (policy: ClusterPolicyView): string => `${policy.clusterName} ${policy.id}`;
  return {
    list: async () =>
      [...db.policies.values()].map(view).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    put: async ({ clusterName, ...policy }) => {
      const { organisationId, projectId } = policy;
      const cluster = [...db.clusters.values()].find(({ name }) => name === clusterName);
      const isKnown =
        organisationId === null
          ? [...db.projects.values()].some(({ id }) => id === projectId)
          : [...db.organisations.values()].some(({ id }) => id === organisationId);
      if (cluster === undefined || !isKnown) return undefined;
      const same = [...db.policies.values()].find(
        (each) =>
          each.clusterId === cluster.id &&
          each.organisationId === organisationId &&
          each.projectId === projectId,
      );
      const kept =
        same === undefined ? { ...policy, clusterId: cluster.id } : { ...same, kind: policy.kind };
      db.policies.set(kept.id, kept);
      return view(kept);
    },
    delete: async (id) => db.policies.delete(id),
  };
}

/** All rules, and for whom they are asked. */
export function policyOf(
  db: MemoryDatabase,
  projectId: ProjectId,
): NonNullable<PlanningSnapshot['policy']> | undefined {
  const project = [...db.projects.values()].find(({ id }) => id === projectId);
  if (project === undefined) return undefined;
  return { organisationId: project.organisationId, policies: [...db.policies.values()] };
}

/** See {@link FairShareStore}. */
export function createMemoryFairShares(db: MemoryDatabase): FairShareStore {
  return {
    list: async () =>
      [...db.fairShares.values()].sort((a, b) => (a.projectId < b.projectId ? -1 : 1)),
    setWeight: async (projectId, weight, nowMs) => {
      if (![...db.projects.values()].some(({ id }) => id === projectId)) return false;
      const known = db.fairShares.get(projectId) ?? { usedVcpus: 0, countedAtMs: nowMs };
      db.fairShares.set(projectId, { ...known, projectId, weight });
      return true;
    },
    count: async (nowMs, olderThanMs) => {
      const held = heldVcpus(db);
      for (const projectId of held.keys()) {
        if (db.fairShares.has(projectId)) continue;
        db.fairShares.set(projectId, { projectId, weight: 1, usedVcpus: 0, countedAtMs: nowMs });
      }
      for (const share of db.fairShares.values()) {
        if (share.countedAtMs > nowMs - olderThanMs) continue;
        const usedVcpus = averageUsage(share, held.get(share.projectId) ?? 0, nowMs);
        db.fairShares.set(share.projectId, { ...share, usedVcpus, countedAtMs: nowMs });
      }
    },
  };
}

function heldVcpus(db: MemoryDatabase): ReadonlyMap<ProjectId, number> {
  const held = new Map<ProjectId, number>();
  for (const vm of db.vms.values()) {
    if (vm.clusterId === null || vm.state === 'deleted') continue;
    held.set(vm.projectId, (held.get(vm.projectId) ?? 0) + vm.vcpus);
  }
  return held;
}

/** See `PlanningStore.waiting`. */
export function waitingBatches(
  db: MemoryDatabase,
  nowMs: number,
  limit: number,
): readonly WaitingBatch[] {
  const held = heldVcpus(db);
  return [...db.batches.values()]
    .filter((batch) => batch.needsPlanning)
    .sort(
      (a, b) => b.priority - a.priority || a.plannedAtMs - b.plannedAtMs || (a.id < b.id ? -1 : 1),
    )
    .slice(0, limit)
    .map(({ id, projectId, priority, preemptible, createdAtMs, plannedAtMs }) => {
      const { weight = 1, usedVcpus = 0, countedAtMs = 0 } = db.fairShares.get(projectId) ?? {};
      return {
        ...{ id, projectId, priority, preemptible, createdAtMs, plannedAtMs, weight },
        usedVcpus: usedVcpus * leftAfter(nowMs - countedAtMs),
        heldVcpus: held.get(projectId) ?? 0,
      };
    });
}
