import type { ClusterId, VmSample } from '@factory/contracts';

/** What the machines of a cluster use, as it told it last. */
export interface ClusterMetrics {
  /** When it was told. */
  readonly atMs: number;
  readonly samples: readonly VmSample[];
}

/** What machines use. Every method is one statement. */
export interface MetricsStore {
  /** Replaces what the cluster told before; `false` when a newer session has taken its place. */
  put(clusterId: ClusterId, epoch: number, metrics: ClusterMetrics): Promise<boolean>;
  /** What the cluster told last; undefined when that is of `knownAtMs`, or it told nothing. */
  newerThan(clusterId: ClusterId, knownAtMs: number): Promise<ClusterMetrics | undefined>;
}
