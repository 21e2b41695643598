import { ACTIONS, type Action, AUTHORIZABLE_PATHS, isAction } from './actions.ts';
import { SecurityConfigError } from './security-error.ts';

/** Whom or what a rule speaks of. */
export type Entity =
  | { readonly type: 'ANY' }
  | { readonly type: 'NONE' }
  | { readonly type: 'SOME'; readonly values: readonly string[] };

/** One rule: what these principals may do to these objects. */
export interface Acl {
  readonly principals: Entity;
  readonly objects: Entity;
}

/** The value of `--acls`. */
export interface Acls {
  /** What holds where no rule matches. */
  readonly permissive: boolean;
  readonly rules: Readonly<Partial<Record<Action, readonly Acl[]>>>;
}

/** Names that Mesos has given up or never had, and what took their place. */
const FORMER_NAMES: Readonly<Record<string, Action>> = {
  shutdown_frameworks: 'teardown_frameworks',
  set_quotas: 'update_quotas',
  remove_quotas: 'update_quotas',
  resize_volume: 'resize_volumes',
};

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads ACLs in Mesos' JSON form. What is not understood is refused: a rule with a spelling mistake
 * would leave a door open.
 * @throws SecurityConfigError that names the rule.
 */
export function parseAcls(text: string): Acls {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SecurityConfigError('the ACLs are no JSON', { cause: error });
  }
  const { permissive = true, ...lists } = objectOf(value, 'the ACLs');
  if (typeof permissive !== 'boolean') {
    throw new SecurityConfigError("'permissive' must be true or false");
  }
  const rules: Partial<Record<Action, readonly Acl[]>> = {};
  for (const [name, list] of Object.entries(lists)) {
    const action = FORMER_NAMES[name] ?? name;
    if (!isAction(action)) throw new SecurityConfigError(`there are no ACLs called '${name}'`);
    if (!Array.isArray(list)) throw new SecurityConfigError(`'${name}' must be a list`);
    const read = list.map((entry: unknown, index) => {
      const what = `${name}[${index}]`;
      const acl = readAcl(entry, ACTIONS[action], what);
      checkObjects(action, acl.objects, what);
      return acl;
    });
    rules[action] = [...(rules[action] ?? []), ...read];
  }
  return { permissive, rules };
}

function readAcl(entry: unknown, objectsName: string, what: string): Acl {
  const { principals, [objectsName]: objects, ...others } = objectOf(entry, what);
  const [other] = Object.keys(others);
  if (other !== undefined) throw new SecurityConfigError(`${what}: '${other}' is unknown`);
  return {
    principals: readEntity(principals, `${what}.principals`),
    objects: readEntity(objects, `${what}.${objectsName}`),
  };
}

/** Objects that the action never has would make a rule that never holds. */
function checkObjects(action: Action, objects: Entity, what: string): void {
  if (objects.type !== 'SOME') return;
  if (ABOUT_ALL.has(action)) {
    throw new SecurityConfigError(`${what}.${ACTIONS[action]}: the type must be NONE or ANY`);
  }
  if (action !== 'get_endpoints') return;
  const paths: readonly string[] = AUTHORIZABLE_PATHS;
  const other = objects.values.find((path) => !paths.includes(path));
  if (other === undefined) return;
  throw new SecurityConfigError(`${what}: path '${other}' is not an authorizable path`);
}

/** What is not asked about single objects. */
const ABOUT_ALL: ReadonlySet<Action> = new Set<Action>([
  ...(['view_flags', 'set_log_level', 'access_mesos_logs', 'register_agents'] as const),
  ...(['update_maintenance_schedules', 'get_maintenance_schedules'] as const),
  ...(['start_maintenances', 'stop_maintenances', 'get_maintenance_statuses'] as const),
  ...(['launch_standalone_containers', 'wait_standalone_containers'] as const),
  ...(['kill_standalone_containers', 'remove_standalone_containers'] as const),
  ...(['view_standalone_containers', 'prune_images'] as const),
]);

function readEntity(value: unknown, what: string): Entity {
  const { type = 'SOME', values = [] } = objectOf(value, what);
  if (type === 'ANY' || type === 'NONE') return { type };
  if (type !== 'SOME') throw new SecurityConfigError(`${what}: the type is ANY, NONE or SOME`);
  const isList = Array.isArray(values) && values.every((each) => typeof each === 'string');
  if (!isList || values.length === 0) {
    throw new SecurityConfigError(`${what}: 'values' must be a list of texts`);
  }
  return { type, values };
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value));
  }
  throw new SecurityConfigError(`${what} must be a JSON object`);
}
