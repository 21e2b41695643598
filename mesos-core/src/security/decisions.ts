import type { Action } from './actions.ts';
import type { Authorizer } from './authorizer.ts';

/** More different objects than a view of the cluster has, unless somebody makes them up. */
const REMEMBERED_MAX = 10_000;

/** Whether somebody may do something to the object. */
export type Decision = (object: string | undefined) => boolean;

/**
 * What one caller may do, remembered by object: the parts of a large answer have few users and roles
 * between them, and ACLs don't change.
 */
export function rememberDecisions(
  authorizer: Authorizer,
  action: Action,
  principal: string | undefined,
): Decision {
  const known = new Map<string | undefined, boolean>();
  return (object) => {
    const remembered = known.get(object);
    if (remembered !== undefined) return remembered;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const decision = authorizer.allows(action, principal, object);
    known.set(object, decision);
    return decision;
  };
}
