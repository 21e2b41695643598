import { MesosHttpError } from '../http/mesos-http.ts';
import type { AgentApiCall, ContainerID } from '../protocol/index.ts';
import type { Action, Principal } from '../security/index.ts';
import type { AgentContext } from './context.ts';
import { allRuns } from './views.ts';

/** An action, and the container whose user it is about; without one: all containers. */
type Need = readonly [action: Action, container?: ContainerID | undefined];

/**
 * Refuses an operator's call that its principal may not make.
 * @throws MesosHttpError 403.
 */
export function checkAgentCall(
  context: Pick<AgentContext, 'security' | 'state'>,
  call: AgentApiCall,
  caller: Principal | undefined,
): void {
  const need = needOf(call);
  if (need === undefined) return;
  const [action, container] = need;
  const user = container === undefined ? undefined : userOf(context, container);
  if (context.security.authorizer.allows(action, caller?.value, user)) return;
  throw new MesosHttpError(403, '403 Forbidden.');
}

function needOf(call: AgentApiCall): Need | undefined {
  switch (call.type) {
    case 'GET_FLAGS':
      return ['view_flags'];
    case 'SET_LOGGING_LEVEL':
      return ['set_log_level'];
    case 'LIST_FILES':
    case 'READ_FILE':
      return ['access_sandboxes'];
    case 'LAUNCH_NESTED_CONTAINER':
      return [
        'launch_nested_containers_under_parent_with_user',
        call.launch_nested_container.container_id,
      ];
    case 'LAUNCH_NESTED_CONTAINER_SESSION':
      return [
        'launch_nested_container_sessions_under_parent_with_user',
        call.launch_nested_container_session.container_id,
      ];
    case 'WAIT_NESTED_CONTAINER':
      return ['wait_nested_containers', call.wait_nested_container.container_id];
    case 'KILL_NESTED_CONTAINER':
      return ['kill_nested_containers', call.kill_nested_container.container_id];
    case 'REMOVE_NESTED_CONTAINER':
      return ['remove_nested_containers', call.remove_nested_container.container_id];
    case 'ATTACH_CONTAINER_INPUT':
      return ['attach_containers_input', call.attach_container_input.container_id];
    case 'ATTACH_CONTAINER_OUTPUT':
      return ['attach_containers_output', call.attach_container_output.container_id];
    case 'LAUNCH_CONTAINER':
      return ['launch_standalone_containers'];
    case 'WAIT_CONTAINER':
      return ['wait_standalone_containers'];
    case 'KILL_CONTAINER':
      return ['kill_standalone_containers'];
    case 'REMOVE_CONTAINER':
      return ['remove_standalone_containers'];
    case 'GET_CONTAINERS':
      return ['view_containers'];
    case 'PRUNE_IMAGES':
      return ['prune_images'];
    default:
      return undefined;
  }
}

/** The user of the executor whose container holds this one. */
function userOf(
  { state }: Pick<AgentContext, 'state'>,
  container: ContainerID,
): string | undefined {
  const root = rootOf(container).value;
  const run = allRuns(state).find(({ containerId }) => containerId === root);
  if (run === undefined) return undefined;
  return run.info.command?.user ?? state.frameworks.get(run.frameworkId)?.info.user;
}

function rootOf(container: ContainerID): ContainerID {
  return container.parent === undefined ? container : rootOf(container.parent);
}
