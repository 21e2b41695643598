import type { ReplicaStore } from '../../images/replica-store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link ReplicaStore}. */
export function createMemoryReplicas(db: MemoryDatabase): ReplicaStore {
  const { replicas, rates, versions } = db.images;
  return {
    put: async (wanted) => {
      for (const each of wanted) {
        const key = `${each.clusterId} ${each.imageId}`;
        if (replicas.get(key)?.untilMs !== null) replicas.set(key, each);
      }
    },
    list: async (nowMs, clusterId) =>
      [...replicas.values()].filter(
        (each) =>
          versions.has(each.imageId) &&
          (each.untilMs === null || each.untilMs >= nowMs) &&
          (clusterId === undefined || each.clusterId === clusterId),
      ),
    remove: async (imageId, clusterIds) => {
      for (const clusterId of clusterIds) replicas.delete(`${clusterId} ${imageId}`);
    },
    demands: async () =>
      [...versions.values()].flatMap((record) => {
        const { id: imageId, state, visibility, folder, version } = record;
        if (state !== 'ready' || visibility !== 'private' || version === null) return [];
        const batches = [...db.batches.values()].filter(
          (each) => each.needsPlanning && each.image === folder && each.imageVersion === version,
        );
        const vcpus = batches.reduce((sum, { size }) => sum + askedVcpus(size), 0);
        return batches.length === 0 ? [] : [{ imageId, folder, version, vcpus }];
      }),
    bytesPerSecond: async (clusterId) => rates.get(clusterId) ?? null,
    bound: async (clusterName, bytesPerSecond) => {
      const found = [...db.clusters.values()].find(({ name }) => name === clusterName);
      if (found === undefined) return false;
      if (bytesPerSecond === null) rates.delete(found.id);
      else rates.set(found.id, bytesPerSecond);
      return true;
    },
  };
}

function askedVcpus(size: {
  kind: string;
  count?: number;
  shape?: { vcpus: number };
  totalVcpus?: number;
}) {
  return size.totalVcpus ?? (size.count ?? 0) * (size.shape?.vcpus ?? 1);
}
