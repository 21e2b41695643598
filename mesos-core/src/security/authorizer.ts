import type { Acls } from './acls.ts';
import type { Action } from './actions.ts';
import { authorize } from './authorize.ts';

/** Answers whether somebody may do something. */
export interface Authorizer {
  /**
   * @param principal the caller's name, or a framework's; `undefined` when nobody knows.
   * @param object what it is done to, of the kind that the action names; `undefined`: to all.
   */
  allows(action: Action, principal: string | undefined, object?: string): boolean;
}

/** Without ACLs everything is allowed. */
export const allowAll: Authorizer = { allows: () => true };

/** Decides by ACLs. */
export function createAuthorizer(acls: Acls | undefined): Authorizer {
  if (acls === undefined) return allowAll;
  return { allows: (action, principal, object) => authorize(acls, action, principal, object) };
}
