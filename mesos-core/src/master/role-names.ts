import type { FrameworkInfo } from '../protocol/index.ts';
import { rolesOf } from './state.ts';

/** A role and all that it is in: `a/b` is in `a`. Pure. */
export function withAncestors(role: string): readonly string[] {
  const parts = role.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Ids of the frameworks that have each role. Pure. */
export function membersByRole(
  frameworks: Iterable<{ readonly id: string; readonly info: FrameworkInfo }>,
): ReadonlyMap<string, readonly string[]> {
  const pairs = [...frameworks].flatMap(({ id, info }) =>
    rolesOf(info).map((role) => ({ role, id })),
  );
  const byRole = Map.groupBy(pairs, ({ role }) => role);
  return new Map([...byRole].map(([role, list]) => [role, list.map(({ id }) => id)]));
}
