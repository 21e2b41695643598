import type { AUTHORIZABLE_PATHS, Authorizer } from '../security/index.ts';
import { MesosHttpError } from './mesos-http.ts';

/** One of the paths that the ACL `get_endpoints` speaks of. */
type AuthorizablePath = (typeof AUTHORIZABLE_PATHS)[number];

/**
 * Refuses a caller whom the ACL `get_endpoints` does not let ask for the path.
 * @param path without the name of the process (`/master`, `/slave(1)`), as Mesos compares it.
 * @throws MesosHttpError 403.
 */
export function checkEndpointAccess(
  authorizer: Authorizer,
  path: AuthorizablePath,
  principal: string | undefined,
): void {
  if (authorizer.allows('get_endpoints', principal, path)) return;
  throw new MesosHttpError(403, '403 Forbidden.');
}
