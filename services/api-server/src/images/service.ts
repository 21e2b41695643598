import type { ClusterRecord } from '../clusters/store.ts';

/** An image and the names of the clusters that can start machines from it. */
export interface KnownImage {
  readonly name: string;
  readonly clusters: string[];
}

/** All images of all clusters, sorted by name. */
export function knownImages(clusters: readonly ClusterRecord[]): readonly KnownImage[] {
  const byName = new Map<string, KnownImage>();
  for (const cluster of clusters) {
    for (const name of cluster.capacity?.images ?? []) {
      const image = byName.get(name) ?? { name, clusters: [] };
      image.clusters.push(cluster.name);
      byName.set(name, image);
    }
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
