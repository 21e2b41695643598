import type { MetricsStore } from '../../vm-metrics/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link MetricsStore}. */
export function createMemoryMetrics({ clusters, clusterMetrics }: MemoryDatabase): MetricsStore {
  return {
    put: async (clusterId, epoch, metrics) => {
      if (clusters.get(clusterId)?.epoch !== epoch) return false;
      clusterMetrics.set(clusterId, metrics);
      return true;
    },
    newerThan: async (clusterId, knownAtMs) => {
      const found = clusterMetrics.get(clusterId);
      return found?.atMs === knownAtMs ? undefined : found;
    },
  };
}
