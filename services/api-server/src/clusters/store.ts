import type {
  BatchId,
  Capacity,
  ClusterAttributes,
  ClusterId,
  ClusterState,
  HostOrphan,
  NumberedCommand,
  OperationId,
  OperationProgress,
  OperationResult,
  Refusal,
  SharePlan,
  VmReport,
} from '@factory/contracts';
import type { CapacitySummary } from './capacity-summary.ts';

/** A cluster as lists show it. */
export interface ClusterRecord {
  readonly id: ClusterId;
  readonly name: string;
  /** Grows with each session; 0 before the first. */
  readonly epoch: number;
  readonly enrolledAtMs: number;
  readonly lastSeenAtMs: number | null;
  readonly capacity: CapacitySummary | null;
}

/** Something on a host of a cluster that nobody speaks for. */
export interface ClusterOrphan extends HostOrphan {
  readonly clusterId: ClusterId;
  readonly clusterName: string;
}

/** Who the cluster link talks to. */
export interface LinkPeer {
  readonly id: ClusterId;
  readonly name: string;
  /** Ed25519, SPKI, PEM. */
  readonly publicKey: string;
  /** The one that it is about to sign with; both are good until it has. */
  readonly nextPublicKey: string | null;
  readonly state: ClusterState;
}

/** What a cluster says of itself when it opens a session. */
export interface ClusterWords {
  readonly features: readonly string[];
  readonly region: string;
  readonly attributes: ClusterAttributes;
}

export type EnrolResult =
  | { readonly kind: 'enrolled'; readonly clusterId: ClusterId }
  | { readonly kind: 'refused' };

type SessionResult =
  | { readonly kind: 'opened'; readonly epoch: number }
  | { readonly kind: 'replayed' };

/** One exchange's news, checked and with at most one report a machine. */
export interface ExchangeNews {
  readonly clusterId: ClusterId;
  readonly epoch: number;
  readonly nonce: string;
  readonly appliedCommandSeq: number;
  readonly vms: readonly VmReport[];
  readonly plans: readonly SharePlan[];
  readonly operations: readonly OperationResult[];
  readonly progress: readonly OperationProgress[];
  readonly refusals: readonly Refusal[];
  readonly capacity: Capacity | undefined;
  readonly nowMs: number;
}

export type IngestResult =
  | { readonly kind: 'stale'; readonly epoch: number }
  | { readonly kind: 'replayed' }
  | {
      readonly kind: 'ingested';
      /** Reports that were newer than what was known. */
      readonly vmsChanged: number;
      /** Reports of machines that this cluster does not have, or no longer has. */
      readonly vmsForeign: number;
      /** Batches whose share was planned by this exchange. */
      readonly plannedBatchIds: readonly BatchId[];
      /** Machines wait for room, and there may be more room than before. */
      readonly isWorthPlanning: boolean;
    };

export type CommandsResult =
  | { readonly kind: 'stale'; readonly epoch: number }
  | {
      readonly kind: 'commands';
      readonly commands: readonly NumberedCommand[];
      /** There are newer ones, which only a new exchange claims. */
      readonly hasUnclaimed: boolean;
    };

export type HostGoneResult = 'declared' | 'noSuchCluster' | 'isActive';

/** Clusters and their link. Every method is one transaction. */
export interface ClusterStore {
  list(): Promise<readonly ClusterRecord[]>;
  /** Tells a cluster that a host will not come back, unless its master says that it is there. */
  declareHostGone(clusterName: string, hostName: string): Promise<HostGoneResult>;
  /** What the clusters' hosts have that nobody speaks for. */
  orphans(): Promise<readonly ClusterOrphan[]>;
  findPeer(id: string): Promise<LinkPeer | undefined>;
  /**
   * Spends the token. A cluster of that name that is enrolled keeps its id and gets the new public
   * key; its command log begins anew with everything that it should have. A token that was spent for
   * this very key gives the same answer again and changes nothing: the first may have been lost.
   */
  enrol(input: {
    readonly tokenHash: string;
    readonly name: string;
    readonly publicKey: string;
    /** Of a new cluster. */
    readonly clusterId: ClusterId;
    readonly nowMs: number;
  }): Promise<EnrolResult>;
  openSession(
    id: ClusterId,
    nonce: string,
    nowMs: number,
    words: ClusterWords,
  ): Promise<SessionResult>;
  /** Takes the news, and claims the commands that are in the log by now. */
  ingest(news: ExchangeNews): Promise<IngestResult>;
  /** Claimed commands above `afterSeq`, at most `limit` and about `bytesMax` of JSON, but at least one. */
  commandsAfter(
    id: ClusterId,
    epoch: number,
    afterSeq: number,
    bounds: { readonly limit: number; readonly bytesMax: number },
  ): Promise<CommandsResult>;
}

/** Something changed that somebody may wait for; only a hint to look again. */
export interface Wake {
  /** Clusters with new commands or a new session. */
  readonly clusters: readonly ClusterId[];
  readonly batches: readonly BatchId[];
  readonly operations: readonly OperationId[];
}
