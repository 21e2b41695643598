import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentApiCall, MasterCall } from '../protocol/index.ts';
import { type SecretCluster, STRANGER, startSecretCluster } from './testing/secret-cluster.ts';

const agentId = { agent_id: { value: 'x' } };
const RESOURCE = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } } as const;
const resources = [{ ...RESOURCE, reservations: [{ type: 'DYNAMIC', role: 'secret' }] }] as const;

type CallGuard<T> = readonly [T, 'refused' | 'filtered' | 'public' | 'nothing'];

const volume = { ...resources[0], name: 'disk', disk: { persistence: { id: 'v' } } } as const;

/** Each call of the master's operator API. */
const MASTER_CALLS: {
  readonly [T in MasterCall['type']]: CallGuard<Extract<MasterCall, { type: T }>>;
} = {
  UNKNOWN: [{ type: 'UNKNOWN' }, 'nothing'],
  GET_HEALTH: [{ type: 'GET_HEALTH' }, 'public'],
  GET_VERSION: [{ type: 'GET_VERSION' }, 'public'],
  GET_MASTER: [{ type: 'GET_MASTER' }, 'public'],
  // The names of frameworks and roles are in the names of some.
  GET_METRICS: [{ type: 'GET_METRICS', get_metrics: {} }, 'refused'],
  GET_LOGGING_LEVEL: [{ type: 'GET_LOGGING_LEVEL' }, 'public'],
  GET_FLAGS: [{ type: 'GET_FLAGS' }, 'refused'],
  SET_LOGGING_LEVEL: [
    { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1e9 } } },
    'refused',
  ],
  LIST_FILES: [{ type: 'LIST_FILES', list_files: { path: '/' } }, 'refused'],
  READ_FILE: [{ type: 'READ_FILE', read_file: { path: '/', offset: 0 } }, 'refused'],
  GET_STATE: [{ type: 'GET_STATE' }, 'filtered'],
  GET_AGENTS: [{ type: 'GET_AGENTS' }, 'filtered'],
  GET_FRAMEWORKS: [{ type: 'GET_FRAMEWORKS' }, 'filtered'],
  GET_EXECUTORS: [{ type: 'GET_EXECUTORS' }, 'filtered'],
  GET_OPERATIONS: [{ type: 'GET_OPERATIONS' }, 'filtered'],
  GET_TASKS: [{ type: 'GET_TASKS' }, 'filtered'],
  GET_ROLES: [{ type: 'GET_ROLES' }, 'filtered'],
  GET_WEIGHTS: [{ type: 'GET_WEIGHTS' }, 'filtered'],
  GET_QUOTA: [{ type: 'GET_QUOTA' }, 'filtered'],
  // Filtered too, and without an end; see operator-subscribers.test.ts of the master.
  SUBSCRIBE: [{ type: 'SUBSCRIBE' }, 'nothing'],
  UPDATE_WEIGHTS: [
    { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'x', weight: 2 }] } },
    'refused',
  ],
  RESERVE_RESOURCES: [
    { type: 'RESERVE_RESOURCES', reserve_resources: { ...agentId, resources } },
    'refused',
  ],
  UNRESERVE_RESOURCES: [
    { type: 'UNRESERVE_RESOURCES', unreserve_resources: { ...agentId, resources } },
    'refused',
  ],
  CREATE_VOLUMES: [
    { type: 'CREATE_VOLUMES', create_volumes: { ...agentId, volumes: resources } },
    'refused',
  ],
  DESTROY_VOLUMES: [
    { type: 'DESTROY_VOLUMES', destroy_volumes: { ...agentId, volumes: resources } },
    'refused',
  ],
  GROW_VOLUME: [
    { type: 'GROW_VOLUME', grow_volume: { ...agentId, volume, addition: volume } },
    'refused',
  ],
  SHRINK_VOLUME: [
    { type: 'SHRINK_VOLUME', shrink_volume: { ...agentId, volume, subtract: { value: 1 } } },
    'refused',
  ],
  GET_MAINTENANCE_STATUS: [{ type: 'GET_MAINTENANCE_STATUS' }, 'refused'],
  GET_MAINTENANCE_SCHEDULE: [{ type: 'GET_MAINTENANCE_SCHEDULE' }, 'refused'],
  UPDATE_MAINTENANCE_SCHEDULE: [
    { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: {} } },
    'refused',
  ],
  START_MAINTENANCE: [{ type: 'START_MAINTENANCE', start_maintenance: {} }, 'refused'],
  STOP_MAINTENANCE: [{ type: 'STOP_MAINTENANCE', stop_maintenance: {} }, 'refused'],
  DRAIN_AGENT: [{ type: 'DRAIN_AGENT', drain_agent: agentId }, 'refused'],
  DEACTIVATE_AGENT: [{ type: 'DEACTIVATE_AGENT', deactivate_agent: agentId }, 'refused'],
  REACTIVATE_AGENT: [{ type: 'REACTIVATE_AGENT', reactivate_agent: agentId }, 'refused'],
  MARK_AGENT_GONE: [{ type: 'MARK_AGENT_GONE', mark_agent_gone: agentId }, 'refused'],
  UPDATE_QUOTA: [
    { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'x' }] } },
    'refused',
  ],
  SET_QUOTA: [{ type: 'SET_QUOTA', set_quota: { quota_request: { role: 'x' } } }, 'refused'],
  REMOVE_QUOTA: [{ type: 'REMOVE_QUOTA', remove_quota: { role: 'x' } }, 'refused'],
  TEARDOWN: [{ type: 'TEARDOWN', teardown: { framework_id: { value: 'x' } } }, 'refused'],
};

const container_id = { value: 'c', parent: { value: 'x' } };

/** Each call of the agent's operator API. */
const AGENT_CALLS: {
  readonly [T in AgentApiCall['type']]?: CallGuard<Extract<AgentApiCall, { type: T }>>;
} = {
  UNKNOWN: [{ type: 'UNKNOWN' }, 'nothing'],
  GET_HEALTH: [{ type: 'GET_HEALTH' }, 'public'],
  GET_VERSION: [{ type: 'GET_VERSION' }, 'public'],
  GET_METRICS: [{ type: 'GET_METRICS', get_metrics: {} }, 'refused'],
  GET_LOGGING_LEVEL: [{ type: 'GET_LOGGING_LEVEL' }, 'public'],
  GET_FLAGS: [{ type: 'GET_FLAGS' }, 'refused'],
  SET_LOGGING_LEVEL: [
    { type: 'SET_LOGGING_LEVEL', set_logging_level: { level: 1, duration: { nanoseconds: 1e9 } } },
    'refused',
  ],
  // By the path, whose user is asked for; see the routes.
  LIST_FILES: [{ type: 'LIST_FILES', list_files: { path: '/' } }, 'nothing'],
  READ_FILE: [{ type: 'READ_FILE', read_file: { path: '/', offset: 0 } }, 'nothing'],
  GET_STATE: [{ type: 'GET_STATE' }, 'filtered'],
  GET_CONTAINERS: [{ type: 'GET_CONTAINERS' }, 'filtered'],
  GET_FRAMEWORKS: [{ type: 'GET_FRAMEWORKS' }, 'filtered'],
  GET_EXECUTORS: [{ type: 'GET_EXECUTORS' }, 'filtered'],
  GET_OPERATIONS: [{ type: 'GET_OPERATIONS' }, 'filtered'],
  GET_TASKS: [{ type: 'GET_TASKS' }, 'filtered'],
  GET_AGENT: [{ type: 'GET_AGENT' }, 'filtered'],
  GET_RESOURCE_PROVIDERS: [{ type: 'GET_RESOURCE_PROVIDERS' }, 'public'],
  LAUNCH_NESTED_CONTAINER: [
    { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id } },
    'refused',
  ],
  WAIT_NESTED_CONTAINER: [
    { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
    'refused',
  ],
  KILL_NESTED_CONTAINER: [
    { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } },
    'refused',
  ],
  REMOVE_NESTED_CONTAINER: [
    { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } },
    'refused',
  ],
  LAUNCH_NESTED_CONTAINER_SESSION: [
    { type: 'LAUNCH_NESTED_CONTAINER_SESSION', launch_nested_container_session: { container_id } },
    'refused',
  ],
  ATTACH_CONTAINER_INPUT: [
    { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { container_id } },
    'refused',
  ],
  ATTACH_CONTAINER_OUTPUT: [
    { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
    'refused',
  ],
  LAUNCH_CONTAINER: [{ type: 'LAUNCH_CONTAINER', launch_container: { container_id } }, 'refused'],
  WAIT_CONTAINER: [{ type: 'WAIT_CONTAINER', wait_container: { container_id } }, 'refused'],
  KILL_CONTAINER: [{ type: 'KILL_CONTAINER', kill_container: { container_id } }, 'refused'],
  REMOVE_CONTAINER: [{ type: 'REMOVE_CONTAINER', remove_container: { container_id } }, 'refused'],
  PRUNE_IMAGES: [{ type: 'PRUNE_IMAGES', prune_images: {} }, 'refused'],
};

let cluster: SecretCluster;

beforeAll(async () => {
  cluster = await startSecretCluster();
});
afterAll(() => cluster.world.close());

describe.each([
  ['master', Object.values(MASTER_CALLS), () => cluster.world.master.app],
  ['agent', Object.values(AGENT_CALLS), () => cluster.agent.agent.app],
] as const)('each call of operators to the %s', (_name, calls, appOf) => {
  const told = calls.filter(([, guard]) => guard !== 'nothing');
  it.each(told.map((call) => [call[0].type, ...call] as const))(
    '%s holds back those who are allowed nothing',
    async (_type, call, guard) => {
      const { statusCode, body } = await appOf().inject({
        ...{ method: 'POST', url: '/api/v1', payload: JSON.stringify(call) },
        headers: { 'content-type': 'application/json', authorization: STRANGER },
      });
      expect(statusCode).toBe(guard === 'refused' ? 403 : 200);
      expect(body).not.toContain('secret');
    },
  );
});
