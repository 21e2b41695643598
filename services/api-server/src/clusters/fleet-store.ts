import type {
  Capacity,
  ClusterAttributes,
  ClusterCaps,
  ClusterGiven,
  ClusterId,
  ClusterState,
  ConformanceCheck,
  OrganisationId,
} from '@factory/contracts';
import type { Silence } from './connection.ts';
import type { ClusterRecord } from './store.ts';

/** A cluster with whose it is, and what it may do. */
export interface FleetCluster extends ClusterRecord {
  /** Null: the factory's own. */
  readonly ownerOrganisationId: OrganisationId | null;
  readonly region: string;
  readonly attributes: ClusterAttributes;
  readonly state: ClusterState;
  readonly stateSinceMs: number;
  readonly noticeUntilMs: number | null;
  readonly caps: ClusterCaps;
}

/** What may be changed of it. Another state than `revoked` keeps its sessions. */
export type FleetChange = Partial<
  Pick<FleetCluster, 'state' | 'stateSinceMs' | 'noticeUntilMs' | 'caps' | 'region' | 'attributes'>
>;

/** What a cluster gets that enrols with a token. */
export interface TokenGrant {
  readonly ownerOrganisationId: OrganisationId | null;
  readonly region: string;
  readonly attributes: ClusterAttributes;
  readonly caps: ClusterCaps;
  /** Whether it is active at once, without a conformance run. */
  readonly isTrusted: boolean;
}

/** A one-time token for the cluster of this name; of its secret only the hash is kept. */
export interface TokenRecord extends TokenGrant {
  readonly id: string;
  readonly clusterName: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
  readonly isSpent: boolean;
}

/** What the last conformance run of a cluster found. */
export interface ConformanceRecord {
  readonly atMs: number;
  readonly passed: boolean;
  readonly checks: readonly ConformanceCheck[];
}

/** Whose: of one organisation, or of anybody. */
export type Owner = OrganisationId | null | 'anybody';

export type NewTokenResult = 'kept' | 'nameTaken' | 'noSuchOrganisation';

/** The clusters as those see them who run and own them. Every method is one transaction. */
export interface FleetStore {
  /** Clusters whose last word is older than `heardAfterMs`; those that never spoke have no machines. */
  silence(heardAfterMs: number): Promise<Silence>;
  /** By name. */
  list(): Promise<readonly FleetCluster[]>;
  /** What is handed out there; clusters that have nothing are missing. */
  given(): Promise<ReadonlyMap<ClusterId, ClusterGiven>>;
  capacityOf(id: ClusterId): Promise<Capacity | null>;
  /**
   * Changes a cluster as `decide` says, which sees it locked; what it throws changes nothing. To
   * revoke it ends its sessions. `undefined` when there is none of that name.
   */
  change(
    name: string,
    decide: (cluster: FleetCluster) => FleetChange,
  ): Promise<FleetCluster | undefined>;
  /** Clusters whose notice has ended, and not all that follows from it is done. */
  endedNotices(nowMs: number): Promise<readonly FleetCluster[]>;
  /** Wishes all machines of a withdrawn cluster away and tells it; gives how many. */
  release(id: ClusterId, nowMs: number): Promise<number>;

  /** Whether operators have let this organisation bring clusters. */
  isPartner(id: OrganisationId): Promise<boolean>;
  /** In place of an earlier one for the name, unless that, or the cluster of the name, is another's. */
  createToken(token: TokenRecord & { readonly tokenHash: string }): Promise<NewTokenResult>;
  /** The newest first. */
  listTokens(owner: Owner): Promise<readonly TokenRecord[]>;
  /** Whether there is such a token. */
  revokeToken(id: string, owner: Owner, nowMs: number): Promise<boolean>;

  /** In place of the report before. */
  saveConformance(id: ClusterId, report: ConformanceRecord): Promise<void>;
  conformanceOf(id: ClusterId): Promise<ConformanceRecord | undefined>;

  /** Keeps the key that a cluster is about to sign with; false when the request was sent before. */
  offerKey(id: ClusterId, publicKey: string, nonce: string, nowMs: number): Promise<boolean>;
  /** The offered key has signed something: from now on it is the only one. */
  takeKey(id: ClusterId, publicKey: string): Promise<void>;
}
