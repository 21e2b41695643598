import type { OrganisationId, ProjectId, QuotaLimit, QuotaLimits } from '@factory/contracts';
import type { QuotaExcess, QuotaStanding } from './rules.ts';

/** What a project and its organisation may have, and have. */
export interface QuotaView {
  readonly projectId: ProjectId;
  readonly organisationId: OrganisationId;
  readonly project: QuotaStanding;
  readonly organisation: QuotaStanding;
}

/** Nothing was kept: it is more than a limit allows. */
export interface OverQuota {
  readonly kind: 'overQuota';
  readonly excess: QuotaExcess;
}

export type SetLimitsResult =
  | { readonly kind: 'set' }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'above'; readonly limit: QuotaLimit; readonly max: number };

/**
 * Limits, and what they are compared with: sums over the rows of what there is, taken in the same
 * transaction that adds to it, one such transaction at a time. A batch counts from when it is
 * accepted with all that it can come to; a machine counts until its cluster says that it is gone.
 */
export interface QuotaStore {
  /** Undefined when there is no such project. */
  find(projectId: ProjectId): Promise<QuotaView | undefined>;
  /** Replaces a project's limits; `organisationId` is whose it must be, if anybody's. */
  setOfProject(
    projectId: ProjectId,
    organisationId: OrganisationId | undefined,
    limits: QuotaLimits,
  ): Promise<SetLimitsResult>;
  /** Replaces an organisation's limits. */
  setOfOrganisation(id: OrganisationId, limits: QuotaLimits): Promise<SetLimitsResult>;
}
