import { MesosHttpError } from '../http/mesos-http.ts';
import type { AgentApiCall, CommandInfo, ContainerID } from '../protocol/index.ts';
import type { Action, Principal } from '../security/index.ts';
import type { AgentContext } from './context.ts';
import { allRuns } from './views.ts';

/** An action, and the user (or path) that it is about; without one: all there are. */
interface Need {
  readonly action: Action;
  readonly object?: string | undefined;
}

type Context = Pick<AgentContext, 'security' | 'state'>;

/**
 * Refuses an operator's call that its principal may not make.
 * @throws MesosHttpError 403.
 */
export function checkAgentCall(
  context: Context,
  call: AgentApiCall,
  caller: Principal | undefined,
): void {
  const { authorizer } = context.security;
  const container = containerOf(call);
  // An executor, by its token, does what it likes inside of its own container, and nothing else.
  if (container !== undefined && caller?.value === undefined && caller?.claims.cid !== undefined) {
    if (rootOf(container).value === caller.claims.cid) return;
    throw new MesosHttpError(403, '403 Forbidden.');
  }
  const isAllowed = needsOf(context, call).every(({ action, object }) =>
    authorizer.allows(action, caller?.value, object),
  );
  if (!isAllowed) throw new MesosHttpError(403, '403 Forbidden.');
}

/** What a call needs; what only looks is filtered instead (see `visibilityOf`). */
function needsOf(context: Context, call: AgentApiCall): readonly Need[] {
  const container = containerOf(call);
  if (container !== undefined) return containerNeeds(context, call, container);
  switch (call.type) {
    case 'GET_FLAGS':
      return [{ action: 'view_flags' }];
    // As `/metrics/snapshot`: Mesos forgot this one.
    case 'GET_METRICS':
      return [{ action: 'get_endpoints', object: '/metrics/snapshot' }];
    case 'SET_LOGGING_LEVEL':
      return [{ action: 'set_log_level' }];
    case 'PRUNE_IMAGES':
      return [{ action: 'prune_images' }];
    default:
      return [];
  }
}

/** The container that a call is about. */
function containerOf(call: AgentApiCall): ContainerID | undefined {
  switch (call.type) {
    case 'LAUNCH_NESTED_CONTAINER':
      return call.launch_nested_container.container_id;
    case 'LAUNCH_NESTED_CONTAINER_SESSION':
      return call.launch_nested_container_session.container_id;
    case 'WAIT_NESTED_CONTAINER':
      return call.wait_nested_container.container_id;
    case 'KILL_NESTED_CONTAINER':
      return call.kill_nested_container.container_id;
    case 'REMOVE_NESTED_CONTAINER':
      return call.remove_nested_container.container_id;
    case 'ATTACH_CONTAINER_INPUT':
      return call.attach_container_input.container_id;
    case 'ATTACH_CONTAINER_OUTPUT':
      return call.attach_container_output.container_id;
    case 'LAUNCH_CONTAINER':
      return call.launch_container.container_id;
    case 'WAIT_CONTAINER':
      return call.wait_container.container_id;
    case 'KILL_CONTAINER':
      return call.kill_container.container_id;
    case 'REMOVE_CONTAINER':
      return call.remove_container.container_id;
    default:
      return undefined;
  }
}

/**
 * What is done to a container, whichever of the two calls for it is used: that inside of an executor
 * is a matter of the executor's user, any other is standalone. The executor's own is both.
 */
function containerNeeds(context: Context, call: AgentApiCall, id: ContainerID): readonly Need[] {
  const owner = ownerOf(context, id);
  const [nested, standalone] = CONTAINER_ACTIONS[call.type] ?? [];
  const needs: Need[] = [];
  if (id.parent === undefined && standalone !== undefined) needs.push({ action: standalone });
  const isOfExecutor = id.parent !== undefined || owner !== undefined;
  if (nested !== undefined && (isOfExecutor || standalone === undefined)) {
    needs.push({ action: nested, object: owner?.user });
  }
  if (id.parent === undefined) return needs;
  const asUser = AS_USER[call.type];
  const command = commandOf(call);
  return asUser === undefined || command === undefined
    ? needs
    : [...needs, { action: asUser, object: command.user }];
}

type CallType = AgentApiCall['type'];

/** By call: the action on a container inside of an executor, and on a standalone one. */
const CONTAINER_ACTIONS: Readonly<
  Partial<Record<CallType, readonly [nested: Action, standalone?: Action]>>
> = {
  LAUNCH_NESTED_CONTAINER: [
    'launch_nested_containers_under_parent_with_user',
    'launch_standalone_containers',
  ],
  LAUNCH_CONTAINER: [
    'launch_nested_containers_under_parent_with_user',
    'launch_standalone_containers',
  ],
  LAUNCH_NESTED_CONTAINER_SESSION: [
    'launch_nested_container_sessions_under_parent_with_user',
    'launch_standalone_containers',
  ],
  WAIT_NESTED_CONTAINER: ['wait_nested_containers', 'wait_standalone_containers'],
  WAIT_CONTAINER: ['wait_nested_containers', 'wait_standalone_containers'],
  KILL_NESTED_CONTAINER: ['kill_nested_containers', 'kill_standalone_containers'],
  KILL_CONTAINER: ['kill_nested_containers', 'kill_standalone_containers'],
  REMOVE_NESTED_CONTAINER: ['remove_nested_containers', 'remove_standalone_containers'],
  REMOVE_CONTAINER: ['remove_nested_containers', 'remove_standalone_containers'],
  ATTACH_CONTAINER_INPUT: ['attach_containers_input'],
  ATTACH_CONTAINER_OUTPUT: ['attach_containers_output'],
};

/** Calls with a command of their own, and the action on the user that it names. */
const AS_USER: Readonly<Partial<Record<CallType, Action>>> = {
  LAUNCH_NESTED_CONTAINER: 'launch_nested_containers_as_user',
  LAUNCH_CONTAINER: 'launch_nested_containers_as_user',
  LAUNCH_NESTED_CONTAINER_SESSION: 'launch_nested_container_sessions_as_user',
};

function commandOf(call: AgentApiCall): CommandInfo | undefined {
  switch (call.type) {
    case 'LAUNCH_NESTED_CONTAINER':
      return call.launch_nested_container.command;
    case 'LAUNCH_NESTED_CONTAINER_SESSION':
      return call.launch_nested_container_session.command;
    case 'LAUNCH_CONTAINER':
      return call.launch_container.command;
    default:
      return undefined;
  }
}

/** Whose executor holds the container; `undefined` when none does. */
function ownerOf(
  { state }: Context,
  container: ContainerID,
): { readonly user: string | undefined } | undefined {
  const root = rootOf(container).value;
  const run = allRuns(state).find(({ containerId }) => containerId === root);
  if (run === undefined) return undefined;
  return { user: run.info.command?.user ?? state.frameworks.get(run.frameworkId)?.info.user };
}

function rootOf(container: ContainerID): ContainerID {
  let root = container;
  while (root.parent !== undefined) root = root.parent;
  return root;
}
