import type { ClusterId, OrganisationId, PolicyKind, ProjectId } from '@factory/contracts';

/**
 * A rule on a cluster, for a project or for all projects of an organisation:
 * - `allowed`: they may use it, and no cluster that they have no rule on;
 * - `preferred`: they get it before others;
 * - `dedicated`: they may use it, and nobody who has no such rule on it may.
 */
export interface ClusterPolicy {
  readonly clusterId: ClusterId;
  readonly organisationId: OrganisationId | null;
  readonly projectId: ProjectId | null;
  readonly kind: PolicyKind;
}

/** Whom rules are asked for. */
export interface PolicySubject {
  readonly organisationId: OrganisationId;
  readonly projectId: ProjectId;
}

/** What rules make of a cluster for somebody. */
export interface PolicyVerdict {
  /** In words, why not; absent: it may be used. */
  readonly refusal?: string;
  readonly isPreferred: boolean;
}

/**
 * What the rules say of a cluster for a subject. Rules of the project itself take the place of those
 * of its organisation; without any, every cluster may be used that is not dedicated to others. Pure.
 */
export function policyVerdict(
  policies: readonly ClusterPolicy[],
  subject: PolicySubject,
  clusterId: ClusterId,
): PolicyVerdict {
  const own = rulesFor(policies, subject);
  const here = own.filter((rule) => rule.clusterId === clusterId).map((rule) => rule.kind);
  const isDedicated = policies.some(
    (rule) => rule.clusterId === clusterId && rule.kind === 'dedicated',
  );
  if (isDedicated && !here.includes('dedicated')) {
    return { refusal: 'is dedicated to others', isPreferred: false };
  }
  const isBound = own.some((rule) => rule.kind !== 'preferred');
  if (isBound && here.length === 0) {
    return { refusal: 'is not among the clusters that are allowed', isPreferred: false };
  }
  return { isPreferred: here.includes('preferred') || here.includes('dedicated') };
}

function rulesFor(
  policies: readonly ClusterPolicy[],
  { organisationId, projectId }: PolicySubject,
): readonly ClusterPolicy[] {
  const ofProject = policies.filter((rule) => rule.projectId === projectId);
  if (ofProject.length > 0) return ofProject;
  return policies.filter(
    (rule) => rule.projectId === null && rule.organisationId === organisationId,
  );
}
