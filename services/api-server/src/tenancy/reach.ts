import type { OrganisationId, ProjectId, Role, Scope } from '@factory/contracts';
import type { Principal } from '../http/principal.ts';

/** What a thing belongs to. */
interface Owner {
  readonly organisationId: OrganisationId;
  /** Absent: to the organisation as such. */
  readonly projectId?: ProjectId;
}

/** Whether the principal runs the factory: an admin or operator of its organisation. Pure. */
export function runsFactory({ isPlatform, scope, role }: Principal): boolean {
  return isPlatform && scope === 'organisation' && (role === 'admin' || role === 'operator');
}

/**
 * Whether the principal's role holds for what belongs to this organisation or project: what is out
 * of reach is answered as what does not exist. Pure.
 */
export function reaches(principal: Principal, owner: Owner): boolean {
  if (runsFactory(principal)) return true;
  if (principal.organisationId !== owner.organisationId) return false;
  if (principal.scope === 'organisation') return true;
  return principal.projectId === owner.projectId;
}

/**
 * Whether an admin may give this away: nobody gives more than they have. What holds in a whole
 * organisation, as everything that partners see does, is given by admins of the organisation. Pure.
 */
export function mayGive(admin: Principal, gift: { role: Role; scope: Scope }): boolean {
  return admin.role === 'admin' && (admin.scope === 'organisation' || gift.scope === 'project');
}
