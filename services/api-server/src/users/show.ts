import type { User } from '@factory/contracts';
import type { UserRecord } from './store.ts';

/** A user as the API shows it. Pure. */
export function showUser(user: UserRecord): User {
  const { id, organisationId, email, name, memberships } = user;
  return {
    ...{ id, organisationId, email, name },
    state: user.disabled ? 'disabled' : 'active',
    memberships: memberships.map((each) => ({ ...each })),
    createdAt: new Date(user.createdAtMs).toISOString(),
  };
}
