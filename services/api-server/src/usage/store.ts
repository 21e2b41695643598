import type {
  BatchId,
  ClusterId,
  OrganisationId,
  ProjectId,
  UsageGroup,
  VmId,
} from '@factory/contracts';

/** An interval without an end. */
export const OPEN = Number.MAX_SAFE_INTEGER;
export const HOUR_S = 3_600;

/** A machine's use that did not change for a while; times in seconds since 1970. */
export interface UsageInterval {
  readonly id: number;
  readonly projectId: ProjectId;
  readonly clusterId: ClusterId;
  readonly batchId: BatchId;
  readonly vmId: VmId;
  readonly fromS: number;
  /** {@link OPEN}: until now. */
  readonly toS: number;
  /** As much as counts: none of a machine that is off. */
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

/** Sums of amount × seconds. */
export interface UsageSums {
  readonly vcpuSeconds: number;
  readonly memoryMiBSeconds: number;
  readonly diskGiBSeconds: number;
  readonly machineSeconds: number;
}

/** Sums of a group; what is not grouped by is not there. */
export interface UsageSumsRow extends UsageSums {
  readonly fromS?: number;
  readonly projectId?: ProjectId;
  readonly clusterId?: ClusterId;
}

/** Whose use. */
export type UsageScope =
  | { readonly projectId: ProjectId }
  | { readonly organisationId: OrganisationId }
  | { readonly clusterId: ClusterId };

export interface UsageQuery {
  readonly scope: UsageScope;
  /** Whole hours. */
  readonly fromS: number;
  readonly toS: number;
  readonly groups: readonly UsageGroup[];
  /** Nothing counts after it. */
  readonly nowS: number;
  readonly limit: number;
}

export interface RecordsQuery {
  readonly projectId: ProjectId;
  readonly fromS: number;
  readonly toS: number;
  /** The last one of the page before. */
  readonly after?: { readonly toS: number; readonly id: number };
  readonly limit: number;
}

/** What machines used. The intervals are written by the store itself, with each change. */
export interface UsageStore {
  /** Brings the sums of hours that are over up to date; gives how many sums it made. */
  rollUp(nowS: number): Promise<number>;
  /** Sums by group, in their order; the hours that are not over are summed from the intervals. */
  sums(query: UsageQuery): Promise<readonly UsageSumsRow[]>;
  /** Intervals that overlap a period, by their ends. */
  records(query: RecordsQuery): Promise<readonly UsageInterval[]>;
  /** A cluster by its name or id, if it is of this organisation; `undefined`: whosever it is. */
  cluster(
    nameOrId: string,
    owner: OrganisationId | undefined,
  ): Promise<{ readonly id: ClusterId; readonly name: string } | undefined>;
  /** Forgets intervals that ended before this; their sums stay. Gives how many. */
  forget(beforeS: number): Promise<number>;
}
