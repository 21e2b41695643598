import type { Membership, OrganisationId, ProjectId, Role, Scope } from '@factory/contracts';

/** From the least to the most; a partner sees nothing of projects. */
const RANKS: Readonly<Record<Role, number>> = {
  partner: 0,
  viewer: 1,
  member: 2,
  operator: 3,
  admin: 4,
};

/**
 * What somebody with these memberships is in a project: the highest role, and of equal ones the one
 * that holds in the whole organisation; `undefined` when nothing. Pure.
 */
export function standingIn(
  memberships: readonly Membership[],
  project: { readonly id: ProjectId; readonly organisationId: OrganisationId },
): { readonly role: Role; readonly scope: Scope } | undefined {
  const standings = memberships
    .filter(({ organisationId }) => organisationId === project.organisationId)
    .filter(({ projectId }) => projectId === null || projectId === project.id)
    .map(({ role, projectId }): { role: Role; scope: Scope } => ({
      role,
      scope: projectId === null ? 'organisation' : 'project',
    }))
    .sort((a, b) => RANKS[b.role] - RANKS[a.role] || (a.scope === 'organisation' ? -1 : 1));
  return standings[0];
}
