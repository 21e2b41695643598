import type { ClusterId, OrganisationId, ProjectId } from '@factory/contracts';
import type { ApiKeyRecord } from '../keys/store.ts';
import type { NewSubnet } from '../subnets/store.ts';

/** A one-time token for the cluster of this name; only its hash is kept. */
export interface EnrolmentToken {
  readonly clusterName: string;
  readonly tokenHash: string;
  readonly expiresAtMs: number;
}

/** What is made where it is missing; ids and secrets are proposals. */
export interface BootstrapInput {
  /** The one that runs the factory. */
  readonly organisation: { readonly id: OrganisationId; readonly name: string };
  readonly project: { readonly id: ProjectId; readonly name: string };
  /** Its project is the one above, or the one that there is. */
  readonly subnet: NewSubnet;
  readonly adminKey: Omit<ApiKeyRecord, 'projectId'>;
  /** Revokes the admin key that there is, and keeps the proposed one. */
  readonly rotateAdminKey: boolean;
  readonly tokens: readonly EnrolmentToken[];
  /** Names of clusters that get a token although they are enrolled. */
  readonly reenrol: readonly string[];
  readonly nowMs: number;
}

export interface BootstrapResult {
  readonly projectId: ProjectId;
  readonly isAdminKeyKept: boolean;
  /** In the order of the input's tokens. */
  readonly clusters: readonly {
    readonly name: string;
    readonly clusterId: ClusterId | null;
    readonly isTokenKept: boolean;
  }[];
}

/** The first things of a factory. */
export interface BootstrapStore {
  /** One transaction; several at once give the same factory. */
  bootstrap(input: BootstrapInput): Promise<BootstrapResult>;
}
