import type { FrameworkInfo, MasterResponse } from '../protocol/index.ts';
import { type Authorizer, allowAll } from '../security/index.ts';
import { seesAll, type Visibility } from './views/visibility.ts';

/**
 * What somebody who looks may see: by the ACLs `view_frameworks`, `view_tasks` and `view_executors`,
 * which speak of users. The rest is left out, as Mesos does, not refused.
 * @param who the caller's name; `undefined` when it is not authenticated.
 */
export function visibilityOf(authorizer: Authorizer, who: string | undefined): Visibility {
  if (authorizer === allowAll) return seesAll;
  const framework = (info: FrameworkInfo | undefined): boolean =>
    authorizer.allows('view_frameworks', who, info?.user);
  return {
    framework,
    task: (task, info) =>
      framework(info) && authorizer.allows('view_tasks', who, task.user ?? info?.user),
    executor: ({ command }, info) =>
      framework(info) && authorizer.allows('view_executors', who, command?.user ?? info?.user),
    role: (name) => authorizer.allows('view_roles', who, name),
  };
}

/** An answer about roles without those that the caller may not see (`view_roles`, `get_quotas`). */
export function withoutHiddenRoles(
  authorizer: Authorizer,
  who: string | undefined,
  response: MasterResponse,
): MasterResponse {
  if (authorizer === allowAll) return response;
  const visibility = visibilityOf(authorizer, who);
  const sees = (role = '*'): boolean => visibility.role(role);
  const seesQuota = (role = '*'): boolean => authorizer.allows('get_quotas', who, role);
  switch (response.type) {
    case 'GET_ROLES': {
      const roles = response.get_roles.roles?.filter(({ name }) => sees(name));
      return { ...response, get_roles: { roles } };
    }
    case 'GET_WEIGHTS': {
      const weight_infos = response.get_weights?.weight_infos?.filter(({ role }) => sees(role));
      return response.get_weights === undefined
        ? response
        : { ...response, get_weights: { weight_infos } };
    }
    case 'GET_QUOTA': {
      const { infos, configs } = response.get_quota.status;
      const status = {
        infos: infos?.filter(({ role }) => seesQuota(role)),
        configs: configs?.filter(({ role }) => seesQuota(role)),
      };
      return { ...response, get_quota: { status } };
    }
    default:
      return response;
  }
}
