import type { ProjectId, SecurityRule, SubnetId } from '@factory/contracts';
import type { OverQuota } from '../quota/store.ts';

/** A subnet as it is kept. */
export interface SubnetRecord {
  readonly id: SubnetId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly cidr: string;
  /** VXLAN's number of it; null once it is deleted, as then another may have it. */
  readonly vni: number | null;
  readonly egress: 'none' | 'nat';
  readonly dnsDomain: string;
  readonly securityRules: readonly SecurityRule[];
  /** Addresses from here on were never given out, but for some that were asked for. */
  readonly nextOffset: number;
  readonly createdAtMs: number;
  readonly deletedAtMs: number | null;
}

/** A subnet that is yet to get its number. */
export type NewSubnet = Omit<SubnetRecord, 'vni'>;

/** A subnet, with how many of its addresses machines have. */
export interface SubnetView {
  readonly subnet: SubnetRecord;
  readonly usedAddresses: number;
}

export type CreateSubnetResult =
  | { readonly kind: 'created'; readonly view: SubnetView }
  | { readonly kind: 'nameTaken'; readonly subnetId: SubnetId }
  | { readonly kind: 'tooMany' }
  | OverQuota;

export type ChangeSubnetResult =
  | { readonly kind: 'changed'; readonly view: SubnetView }
  | { readonly kind: 'nameTaken'; readonly subnetId: SubnetId }
  | { readonly kind: 'notFound' };

export type DeleteSubnetResult =
  | { readonly kind: 'deleted' }
  | { readonly kind: 'notFound' }
  /** Machines are in it, or batches wait that want to be. */
  | { readonly kind: 'inUse'; readonly vmCount: number; readonly waitingBatchCount: number };

/** What may be changed of a subnet. */
export type SubnetPatch = Partial<Pick<SubnetRecord, 'name' | 'egress' | 'securityRules'>>;

/** The subnets of projects. Every method is one transaction. */
export interface SubnetStore {
  /** Keeps a new subnet under a number that no other has. */
  create(subnet: NewSubnet): Promise<CreateSubnetResult>;
  /** In order of birth; with a `name`, at most the one. */
  list(query: {
    readonly projectId: ProjectId;
    readonly name?: string;
    /** Only subnets with a greater id. */
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly SubnetView[]>;
  find(projectId: ProjectId, id: SubnetId): Promise<SubnetView | undefined>;
  /** Tells the hosts of its machines, where the change is one to them. */
  change(projectId: ProjectId, id: SubnetId, patch: SubnetPatch): Promise<ChangeSubnetResult>;
  /** Deletes it unless a machine is in it, or will be. */
  delete(projectId: ProjectId, id: SubnetId, nowMs: number): Promise<DeleteSubnetResult>;
}
