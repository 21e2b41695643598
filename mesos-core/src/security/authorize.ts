import type { Acls, Entity } from './acls.ts';
import type { Action } from './actions.ts';

/**
 * Whether the principal may do this to the object. The first rule that speaks of both decides: it
 * allows unless it says NONE of either. Where no rule does, `permissive` decides. These are the
 * tables of Mesos' local authorizer (src/authorizer/local/authorizer.cpp).
 * @param principal its name; `undefined` when the caller is not authenticated: then only rules of
 * ANY and NONE speak of it.
 * @param object a role, user, principal or other id; `undefined` when the request is about all.
 */
export function authorize(
  acls: Acls,
  action: Action,
  principal: string | undefined,
  object?: string,
): boolean {
  const includesObject = ROLE_ACTIONS.has(action) ? includesRole : includesText;
  const rule = acls.rules[action]?.find(
    ({ principals, objects }) =>
      speaksOf(principals, principal, includesText) && speaksOf(objects, object, includesObject),
  );
  if (rule === undefined) return acls.permissive;
  return rule.principals.type !== 'NONE' && rule.objects.type !== 'NONE';
}

/** A rule of NONE speaks of all, to forbid it. */
function speaksOf(
  entity: Entity,
  asked: string | undefined,
  includes: (values: readonly string[], value: string) => boolean,
): boolean {
  if (entity.type !== 'SOME') return true;
  return asked !== undefined && includes(entity.values, asked);
}

const ROLE_ACTIONS: ReadonlySet<Action> = new Set<Action>([
  ...(['register_frameworks', 'reserve_resources', 'create_volumes', 'resize_volumes'] as const),
  ...(['get_quotas', 'update_quotas', 'update_weights', 'view_roles'] as const),
]);

function includesText(values: readonly string[], value: string): boolean {
  return values.includes(value);
}

/** A value `eng/%` stands for all roles below `eng`, at any depth, without `eng` itself. */
function includesRole(values: readonly string[], role: string): boolean {
  return values.some((value) =>
    value.endsWith('/%') ? role.startsWith(value.slice(0, -1)) : value === role,
  );
}
