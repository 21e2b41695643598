import type { OrganisationId, PolicyKind, ProjectId } from '@factory/contracts';
import type { ClusterPolicy } from './rules.ts';

/** A rule as it is kept. */
export interface ClusterPolicyRecord extends ClusterPolicy {
  readonly id: string;
  readonly createdAtMs: number;
}

/** A rule with its cluster's name, as operators see it. */
export interface ClusterPolicyView extends ClusterPolicyRecord {
  readonly clusterName: string;
}

/** A rule that is yet to be kept, on the cluster of this name. */
export interface NewClusterPolicy {
  readonly id: string;
  readonly clusterName: string;
  readonly organisationId: OrganisationId | null;
  readonly projectId: ProjectId | null;
  readonly kind: PolicyKind;
  readonly createdAtMs: number;
}

/** Rules on clusters. Every method is one transaction. */
export interface PolicyStore {
  /** Of all clusters, in the order of their names. */
  list(): Promise<readonly ClusterPolicyView[]>;
  /**
   * Keeps a rule, in place of another for the same on the same cluster. `undefined` when there is no
   * such cluster, organisation or project.
   */
  put(policy: NewClusterPolicy): Promise<ClusterPolicyView | undefined>;
  /** Whether there was such a rule. */
  delete(id: string): Promise<boolean>;
}

/** What a project may have of clusters that are short, and has had. */
export interface FairShareRecord {
  readonly projectId: ProjectId;
  readonly weight: number;
  readonly usedVcpus: number;
  readonly countedAtMs: number;
}

/** What projects have held. Every method is one transaction. */
export interface FairShareStore {
  list(): Promise<readonly FairShareRecord[]>;
  /** False when there is no such project. */
  setWeight(projectId: ProjectId, weight: number, nowMs: number): Promise<boolean>;
  /** Adds what projects hold to their averages, of those that were not counted for `olderThanMs`. */
  count(nowMs: number, olderThanMs: number): Promise<void>;
}
