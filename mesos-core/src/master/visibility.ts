import {
  consumedBy,
  type FrameworkInfo,
  type MasterResponse,
  type Resource,
  rolesOfResource,
} from '../protocol/index.ts';
import { type Authorizer, allowAll, rememberDecisions } from '../security/index.ts';
import { seesAll, type Visibility } from './views/visibility.ts';

/**
 * What somebody who looks may see: by the ACLs `view_frameworks`, `view_tasks` and `view_executors`,
 * which speak of users, and `view_roles`. The rest is left out, as Mesos does, not refused; so is what
 * belongs to a framework that this master knows nothing of.
 * @param who the caller's name; `undefined` when it is not authenticated.
 */
export function visibilityOf(authorizer: Authorizer, who: string | undefined): Visibility {
  if (authorizer === allowAll) return seesAll;
  const frameworks = rememberDecisions(authorizer, 'view_frameworks', who);
  const tasks = rememberDecisions(authorizer, 'view_tasks', who);
  const executors = rememberDecisions(authorizer, 'view_executors', who);
  const role = rememberDecisions(authorizer, 'view_roles', who);
  const framework = (info: FrameworkInfo | undefined): boolean =>
    info !== undefined && frameworks(info.user);
  return {
    framework,
    task: (task, info) => framework(info) && tasks(task.user ?? info?.user),
    executor: ({ command }, info) => framework(info) && executors(command?.user ?? info?.user),
    role,
    resources: (all) => all.filter((each) => rolesOfResource(each).every(role)),
  };
}

/** An answer without the roles that the caller may not see (`view_roles`, `get_quotas`). */
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
    case 'GET_OPERATIONS': {
      const { operations } = response.get_operations;
      const isVisible = (resource: Resource): boolean => rolesOfResource(resource).every(sees);
      const visible = operations?.filter(({ info }) => consumedBy(info).every(isVisible));
      return { ...response, get_operations: { operations: visible } };
    }
    default:
      return response;
  }
}
