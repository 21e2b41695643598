import { isDeepStrictEqual } from 'node:util';
import { MesosHttpError } from '../http/mesos-http.ts';
import {
  type AgentSubscribe,
  type FrameworkInfo,
  type MasterCall,
  type OfferOperation,
  type Resource,
  type Resources,
  reservationRole,
  reservationsOf,
  type SchedulerCall,
  type TaskInfo,
  taskUser,
} from '../protocol/index.ts';
import {
  type Action,
  type Authorizer,
  formatPrincipal,
  type Principal,
} from '../security/index.ts';
import { type Framework, type MasterState, rolesOf } from './state.ts';

/** Something that has to be allowed; without an object: of all there is. */
interface Need {
  readonly action: Action;
  readonly object?: string | undefined;
}

/**
 * Refuses an operator's call that its principal may not make.
 * @throws MesosHttpError 403.
 */
export function checkOperatorCall(
  { authorizer, state }: { readonly authorizer: Authorizer; readonly state: MasterState },
  call: MasterCall,
  principal: Principal | undefined,
): void {
  const isAllowed = needsOf(call, state).every(({ action, object }) =>
    authorizer.allows(action, principal?.value, object),
  );
  if (!isAllowed) throw new MesosHttpError(403, '403 Forbidden.');
}

/** What a call needs; what only looks is filtered instead (see `createVisibility`). */
function needsOf(call: MasterCall, state: MasterState): readonly Need[] {
  switch (call.type) {
    case 'GET_FLAGS':
      return [{ action: 'view_flags' }];
    // As `/metrics/snapshot`: Mesos forgot this one.
    case 'GET_METRICS':
      return [{ action: 'get_endpoints', object: '/metrics/snapshot' }];
    case 'SET_LOGGING_LEVEL':
      return [{ action: 'set_log_level' }];
    case 'LIST_FILES':
    case 'READ_FILE':
      return [{ action: 'access_mesos_logs' }];
    case 'UPDATE_WEIGHTS':
      return of(
        'update_weights',
        // Spaces around it are no part of the role (see `updateWeights`).
        (call.update_weights.weight_infos ?? []).map(({ role }) => role?.trim()),
      );
    case 'UPDATE_QUOTA':
      return of(
        'update_quotas',
        (call.update_quota.quota_configs ?? []).map(({ role }) => role),
      );
    case 'SET_QUOTA':
      return [{ action: 'update_quotas', object: call.set_quota.quota_request.role }];
    case 'REMOVE_QUOTA':
      return [{ action: 'update_quotas', object: call.remove_quota.role }];
    case 'RESERVE_RESOURCES':
      return reserveNeeds(call.reserve_resources);
    case 'UNRESERVE_RESOURCES':
      return unreserveNeeds(call.unreserve_resources.resources);
    case 'CREATE_VOLUMES':
      return createNeeds(call.create_volumes.volumes);
    case 'DESTROY_VOLUMES':
      return destroyNeeds(call.destroy_volumes.volumes);
    case 'GROW_VOLUME':
      return [{ action: 'resize_volumes', object: reservationRole(call.grow_volume.volume) }];
    case 'SHRINK_VOLUME':
      return [{ action: 'resize_volumes', object: reservationRole(call.shrink_volume.volume) }];
    case 'GET_MAINTENANCE_STATUS':
      return [{ action: 'get_maintenance_statuses' }];
    case 'GET_MAINTENANCE_SCHEDULE':
      return [{ action: 'get_maintenance_schedules' }];
    case 'UPDATE_MAINTENANCE_SCHEDULE':
      return [{ action: 'update_maintenance_schedules' }];
    case 'START_MAINTENANCE':
      return [{ action: 'start_maintenances' }];
    case 'STOP_MAINTENANCE':
      return [{ action: 'stop_maintenances' }];
    case 'DRAIN_AGENT': {
      const { agent_id, mark_gone = false } = call.drain_agent;
      const actions = [
        'drain_agents',
        ...(mark_gone ? ['mark_agents_gone' as const] : []),
      ] as const;
      return actions.map((action) => ({ action, object: agent_id.value }));
    }
    case 'DEACTIVATE_AGENT':
      return [{ action: 'deactivate_agents', object: call.deactivate_agent.agent_id.value }];
    case 'REACTIVATE_AGENT':
      return [{ action: 'reactivate_agents', object: call.reactivate_agent.agent_id.value }];
    case 'MARK_AGENT_GONE':
      return [{ action: 'mark_agents_gone', object: call.mark_agent_gone.agent_id.value }];
    case 'TEARDOWN': {
      const framework = state.frameworks.get(call.teardown.framework_id.value);
      return [{ action: 'teardown_frameworks', object: framework?.info.principal }];
    }
    default:
      return [];
  }
}

function of(action: Action, objects: readonly (string | undefined)[]): readonly Need[] {
  return objects.map((object) => ({ action, object }));
}

/**
 * Of resources that are reserved already (`source`), the reservations that are not in common are taken
 * away and others made in their place: both have to be allowed.
 */
function reserveNeeds({
  source = [],
  resources = [],
}: {
  readonly source?: Resources | undefined;
  readonly resources?: Resources | undefined;
}): readonly Need[] {
  if (source.length === 0) return of('reserve_resources', resources.map(reservationRole));
  const [from = [], to = []] = [source[0], resources[0]].map((each) =>
    each === undefined ? [] : reservationsOf(each),
  );
  const differs = from.findIndex((each, index) => !isDeepStrictEqual(each, to[index]));
  const common = differs === -1 ? from.length : differs;
  return [
    ...of(
      'unreserve_resources',
      from.slice(common).map(({ principal }) => principal),
    ),
    ...of(
      'reserve_resources',
      to.slice(common).map(({ role }) => role),
    ),
  ];
}

function unreserveNeeds(resources: Resources = []): readonly Need[] {
  return of('unreserve_resources', resources.map(reserverOf));
}

function createNeeds(volumes: Resources = []): readonly Need[] {
  return of('create_volumes', volumes.map(reservationRole));
}

function destroyNeeds(volumes: Resources = []): readonly Need[] {
  return of(
    'destroy_volumes',
    volumes.map(({ disk }) => disk?.persistence?.principal),
  );
}

function reserverOf(resource: Resource): string | undefined {
  return reservationsOf(resource).at(-1)?.principal;
}

/**
 * Refuses an agent that may not register, or not with resources that its flags reserve for the
 * roles they do (Master::authorizeSlave in Mesos).
 * @throws MesosHttpError 403.
 */
export function checkAgent(
  authorizer: Authorizer,
  principal: Principal | undefined,
  { total_resources }: Pick<AgentSubscribe, 'total_resources'>,
): void {
  const refuse = (): never => {
    throw new MesosHttpError(403, 'Not authorized to register agent');
  };
  if (!authorizer.allows('register_agents', principal?.value)) refuse();
  const reserved = total_resources.filter((each) => reservationsOf(each)[0]?.type === 'STATIC');
  for (const each of reserved) {
    const role = reservationsOf(each)[0]?.role;
    if (!authorizer.allows('reserve_resources', principal?.value, role)) refuse();
  }
}

/**
 * What is wrong with a framework's subscription, in Mesos' words; `undefined`: nothing. It is told
 * on the stream.
 */
export function roleProblem(authorizer: Authorizer, info: FrameworkInfo): string | undefined {
  const roles = rolesOf(info);
  const isAllowed = roles.every((role) =>
    authorizer.allows('register_frameworks', info.principal, role),
  );
  return isAllowed ? undefined : `Not authorized to use roles '{ ${roles.join(', ')} }'`;
}

/**
 * The description with the caller's principal in it.
 * @throws MesosHttpError 400 when it names another, 403 when the caller has no name.
 */
export function withPrincipal(
  info: FrameworkInfo,
  principal: Principal | undefined,
): FrameworkInfo {
  if (principal === undefined) return info;
  const name = nameOf(principal);
  if (info.principal !== undefined && info.principal !== name) {
    const problem = mismatch(principal, info.principal);
    throw new MesosHttpError(400, `Failed to validate scheduler::Call: ${problem}`);
  }
  return { ...info, principal: name };
}

/**
 * Only a framework itself makes calls in its name.
 * @throws MesosHttpError 400 for somebody else, 403 when the caller has no name.
 */
export function checkFrameworkPrincipal(
  { info }: Framework,
  call: SchedulerCall,
  principal: Principal | undefined,
): void {
  if (principal === undefined || call.type === 'SUBSCRIBE') return;
  if (nameOf(principal) !== info.principal) {
    throw new MesosHttpError(400, mismatch(principal, info.principal ?? ''));
  }
}

function nameOf({ value }: Principal): string {
  if (value !== undefined) return value;
  throw new MesosHttpError(
    403,
    "The request's authenticated principal contains claims, but no value string. The master " +
      'currently requires that principals have a value',
  );
}

function mismatch(principal: Principal, expected: string): string {
  return (
    `Authenticated principal '${formatPrincipal(principal)}' does not match principal ` +
    `'${expected}' set in \`FrameworkInfo\``
  );
}

/** Why a framework may not change an agent's resources, in Mesos' words; `undefined`: it may. */
export function operationRefusal(
  authorizer: Authorizer,
  { principal }: FrameworkInfo,
  operation: OfferOperation,
): string | undefined {
  const refused = operationNeeds(operation).find(
    ({ action, object }) => !authorizer.allows(action, principal, object),
  );
  if (refused === undefined) return undefined;
  return `Not authorized to ${refused.action.replaceAll('_', ' ')} as '${principal ?? 'ANY'}'`;
}

function operationNeeds(operation: OfferOperation): readonly Need[] {
  switch (operation.type) {
    case 'RESERVE':
      return reserveNeeds(operation.reserve);
    case 'UNRESERVE':
      return unreserveNeeds(operation.unreserve.resources);
    case 'CREATE':
      return createNeeds(operation.create.volumes);
    case 'DESTROY':
      return destroyNeeds(operation.destroy.volumes);
    case 'GROW_VOLUME':
      return [{ action: 'resize_volumes', object: reservationRole(operation.grow_volume.volume) }];
    case 'SHRINK_VOLUME':
      return [
        { action: 'resize_volumes', object: reservationRole(operation.shrink_volume.volume) },
      ];
    default:
      return [];
  }
}

/** Why a framework may not launch the tasks, in Mesos' words; `undefined`: it may. */
export function launchRefusal(
  authorizer: Authorizer,
  info: FrameworkInfo,
  tasks: readonly TaskInfo[],
): string | undefined {
  const users = tasks.map((task) => taskUser(task) ?? info.user);
  const refused = users.find((user) => !authorizer.allows('run_tasks', info.principal, user));
  return refused === undefined ? undefined : `Not authorized to launch as user '${refused}'`;
}
