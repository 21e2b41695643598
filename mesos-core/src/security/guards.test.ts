import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAMEWORK, launch, type TestAgent, taskOn, World } from '../master/testing/world.ts';
import type { AgentApiCall, MasterCall } from '../protocol/index.ts';
import { type ListedRoute, routesMadeBy } from '../testing/route-list.ts';
import { parseAcls } from './acls.ts';
import { createAuthenticator } from './authenticator.ts';
import { createAuthorizer } from './authorizer.ts';
import { signJwt } from './jwt.ts';
import type { Realm } from './realms.ts';

/**
 * `open`: to everybody. Else the realm that asks who calls, and what holds back those whom ACLs allow
 * nothing: `refused` (403), `filtered` (they see nothing of what runs), `call` (see the calls below),
 * `public` (every caller of the realm may know it), `nothing` (no such thing, or one always refused).
 */
type Guard = 'open' | readonly [Realm, 'refused' | 'filtered' | 'call' | 'public' | 'nothing'];

const READ = 'mesos-master-readonly';
const WRITE = 'mesos-master-readwrite';
const SCHEDULER = 'mesos-master-scheduler';

/** Each route of the master; those below `/master` are guarded the same. */
const MASTER: Readonly<Record<string, Guard>> = {
  'GET /health': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /version': 'open',
  'GET /redirect': 'open',
  'GET /*': [READ, 'nothing'],
  'GET /metrics': [READ, 'public'],
  'GET /system/stats.json': [READ, 'public'],
  'GET /metrics/snapshot': [READ, 'refused'],
  'GET /flags': [READ, 'refused'],
  'GET /state': [READ, 'filtered'],
  'GET /state.json': [READ, 'filtered'],
  'GET /state-summary': [READ, 'filtered'],
  'GET /slaves': [READ, 'filtered'],
  'GET /frameworks': [READ, 'filtered'],
  'GET /tasks': [READ, 'filtered'],
  'GET /tasks.json': [READ, 'filtered'],
  'GET /roles': [READ, 'filtered'],
  'GET /files/browse': [READ, 'nothing'],
  'GET /files/browse.json': [READ, 'nothing'],
  'GET /files/read': [READ, 'nothing'],
  'GET /files/read.json': [READ, 'nothing'],
  'GET /files/download': [READ, 'nothing'],
  'GET /files/download.json': [READ, 'nothing'],
  'GET /files/debug': [READ, 'refused'],
  'GET /files/debug.json': [READ, 'refused'],
  'GET /quota': [WRITE, 'filtered'],
  'POST /quota': [WRITE, 'refused'],
  'DELETE /quota': [WRITE, 'nothing'],
  'DELETE /quota/*': [WRITE, 'refused'],
  'GET /weights': [WRITE, 'filtered'],
  'PUT /weights': [WRITE, 'refused'],
  'GET /logging/toggle': [WRITE, 'refused'],
  'POST /logging/toggle': [WRITE, 'refused'],
  'GET /maintenance/schedule': [WRITE, 'refused'],
  'POST /maintenance/schedule': [WRITE, 'refused'],
  'GET /maintenance/status': [WRITE, 'refused'],
  'POST /machine/down': [WRITE, 'refused'],
  'POST /machine/up': [WRITE, 'refused'],
  'POST /teardown': [WRITE, 'refused'],
  'POST /reserve': [WRITE, 'refused'],
  'POST /unreserve': [WRITE, 'refused'],
  'POST /create-volumes': [WRITE, 'refused'],
  'POST /destroy-volumes': [WRITE, 'refused'],
  'POST /teardown': [WRITE, 'refused'],
  'POST /api/v1': [WRITE, 'call'],
  'GET /api/v1': [WRITE, 'nothing'],
  'PUT /api/v1': [WRITE, 'nothing'],
  'DELETE /api/v1': [WRITE, 'nothing'],
  'PATCH /api/v1': [WRITE, 'nothing'],
  'GET /api/v1/*': [WRITE, 'nothing'],
  'PUT /api/v1/*': [WRITE, 'nothing'],
  'DELETE /api/v1/*': [WRITE, 'nothing'],
  'PATCH /api/v1/*': [WRITE, 'nothing'],
  // Roles are refused on the stream, tasks by their updates; see authorization.ts of the master.
  'POST /api/v1/scheduler': [SCHEDULER, 'call'],
  'GET /api/v1/scheduler': [SCHEDULER, 'nothing'],
  'PUT /api/v1/scheduler': [SCHEDULER, 'nothing'],
  'DELETE /api/v1/scheduler': [SCHEDULER, 'nothing'],
  'PATCH /api/v1/scheduler': [SCHEDULER, 'nothing'],
  'POST /internal/v1/agent': ['mesos-master-agent', 'refused'],
};

const AGENT_READ = 'mesos-agent-readonly';
const AGENT_WRITE = 'mesos-agent-readwrite';

/** Each route of the agent; those below `/slave(1)` are guarded the same. */
const AGENT: Readonly<Record<string, Guard>> = {
  'GET /health': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /version': 'open',
  'GET /*': [AGENT_READ, 'nothing'],
  'GET /metrics': [AGENT_READ, 'public'],
  'GET /system/stats.json': [AGENT_READ, 'public'],
  'GET /metrics/snapshot': [AGENT_READ, 'refused'],
  'GET /flags': [AGENT_READ, 'refused'],
  'GET /state': [AGENT_READ, 'filtered'],
  'GET /state.json': [AGENT_READ, 'filtered'],
  'GET /containers': [AGENT_READ, 'refused'],
  'GET /monitor/statistics': [AGENT_READ, 'refused'],
  'GET /monitor/statistics.json': [AGENT_READ, 'refused'],
  'GET /files/browse': [AGENT_READ, 'refused'],
  'GET /files/browse.json': [AGENT_READ, 'refused'],
  'GET /files/read': [AGENT_READ, 'refused'],
  'GET /files/read.json': [AGENT_READ, 'refused'],
  'GET /files/download': [AGENT_READ, 'refused'],
  'GET /files/download.json': [AGENT_READ, 'refused'],
  'GET /files/debug': [AGENT_READ, 'refused'],
  'GET /files/debug.json': [AGENT_READ, 'refused'],
  'GET /logging/toggle': [AGENT_WRITE, 'refused'],
  'POST /logging/toggle': [AGENT_WRITE, 'refused'],
  'GET /api/v1/agent_info': [AGENT_WRITE, 'refused'],
  'PUT /api/v1/agent_info': [AGENT_WRITE, 'refused'],
  'DELETE /api/v1/agent_info': [AGENT_WRITE, 'refused'],
  'POST /api/v1': [AGENT_WRITE, 'call'],
  // Only an executor itself, by the claims of its token; see executor-token.ts.
  'POST /api/v1/executor': ['mesos-agent-executor', 'call'],
};

const agentId = { agent_id: { value: 'x' } };
const RESOURCE = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } } as const;
const resources = [{ ...RESOURCE, reservations: [{ type: 'DYNAMIC', role: 'secret' }] }] as const;

/** What the routes that are refused want to read before they can tell. */
const BODIES: Readonly<Record<string, unknown>> = {
  'POST /quota': { role: 'x', guarantee: [RESOURCE], force: true },
  'PUT /weights': [{ role: 'x', weight: 2 }],
  'POST /maintenance/schedule': { windows: [] },
  'POST /machine/down': [],
  'POST /machine/up': [],
  'POST /teardown': 'frameworkId=x',
  ...Object.fromEntries(
    ['reserve', 'unreserve', 'create-volumes', 'destroy-volumes'].map((name) => {
      const json = encodeURIComponent(JSON.stringify(resources));
      return [`POST /${name}`, `slaveId=x&resources=${json}&volumes=${json}`];
    }),
  ),
  'POST /internal/v1/agent': {
    type: 'SUBSCRIBE',
    subscribe: {
      agent_info: { hostname: 'x', port: 1 },
      total_resources: [],
      frameworks: [],
      executors: [],
      tasks: [],
      version: '1.12.0',
      capabilities: [],
    },
  },
};

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

const KEY = 'key of the tokens';
const SCHEDULER_CREDENTIAL = { principal: 'scheduler', secret: 's' };
const AGENT_CREDENTIAL = { principal: 'agent', secret: 's' };
const STRANGER = `Bearer ${signJwt({ sub: 'stranger' }, KEY)}`;
const ADMINISTRATOR = `Bearer ${signJwt({ sub: 'administrator' }, KEY)}`;

const ofAdministrator = { principals: { values: ['administrator'] } };

/** The cluster works, the administrator sees all, and a stranger is somebody who may nothing. */
const ACLS = {
  permissive: false,
  register_agents: [{ principals: { values: ['agent'] }, agents: { type: 'ANY' } }],
  reserve_resources: [{ principals: { values: ['agent', 'scheduler'] }, roles: { type: 'ANY' } }],
  register_frameworks: [{ principals: { values: ['scheduler'] }, roles: { type: 'ANY' } }],
  view_frameworks: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_executors: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_tasks: [{ ...ofAdministrator, users: { type: 'ANY' } }],
  view_roles: [{ ...ofAdministrator, roles: { type: 'ANY' } }],
  run_tasks: [{ principals: { values: ['scheduler'] }, users: { type: 'ANY' } }],
};

let world: World;
let agent: TestAgent;
let sandbox: string;
let masterRoutes: readonly ListedRoute[];
let agentRoutes: readonly ListedRoute[];

function authenticators(...realms: readonly Realm[]) {
  const options = { credentials: [SCHEDULER_CREDENTIAL, AGENT_CREDENTIAL], jwtSecretKey: KEY };
  return new Map(realms.map((realm) => [realm, createAuthenticator({ realm, ...options })]));
}

/** All names in it have `secret` in them. */
async function startSecretCluster(): Promise<void> {
  const authorizer = createAuthorizer(parseAcls(JSON.stringify(ACLS)));
  world = new World({
    security: {
      master: {
        authorizer,
        authenticators: authenticators(READ, WRITE, SCHEDULER, 'mesos-master-agent'),
      },
      agent: {
        authorizer,
        authenticators: authenticators(AGENT_READ, AGENT_WRITE, 'mesos-agent-executor'),
        credential: AGENT_CREDENTIAL,
        executorTokenKey: KEY,
      },
      scheduler: SCHEDULER_CREDENTIAL,
    },
  });
  masterRoutes = await routesMadeBy(async () => {
    await world.startMaster();
    await world.master.app.ready();
  });
  agentRoutes = await routesMadeBy(async () => {
    agent = await world.startAgent('agent-1', 'cpus:8;mem:8192;cpus(secret-role):1');
    await agent.agent.app.ready();
  });
  for (const name of ['secret-over', 'secret-living']) {
    const info = { ...FRAMEWORK, name, user: 'secret-user', roles: ['secret-role'] };
    const framework = await world.startScheduler(name, { ...info, failover_timeout: 3600 });
    await world.run(2000);
    const secretTask = taskOn(framework.offer, `${name}-task`);
    await world.call(framework, launch(framework.offer, secretTask));
    if (name === 'secret-over') await world.call(framework, { type: 'TEARDOWN' });
  }
  sandbox = agent.executors[0]?.request.directory ?? '';
}

beforeAll(startSecretCluster);
afterAll(() => world.close());

/** As the tables name it. */
const nameOf = ({ method, url }: ListedRoute): string =>
  `${method} ${url.replace(/^\/(master|slave\(1\))(?=\/)/, '')}`;

const askedFor = (app: FastifyInstance, { method, url }: ListedRoute, authorization?: string) => {
  const body = BODIES[nameOf({ method, url })];
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const path = url.replace('*', 'x');
  const query = url.includes('/files/') ? `?path=${encodeURIComponent(sandbox)}` : '';
  return app.inject({
    method: method as 'GET',
    url: path + query,
    headers: {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    },
    ...(payload === undefined ? {} : { payload }),
  });
};

describe.each([
  ['master', MASTER, () => ({ app: world.master.app, routes: masterRoutes })],
  ['agent', AGENT, () => ({ app: agent.agent.app, routes: agentRoutes })],
] as const)('each route of the %s', (_name, guards, cluster) => {
  it('has a guard that is named here', () => {
    // The agent's own app only: other apps of the simulation have routes of their own.
    const names = new Set(cluster().routes.map(nameOf));
    expect([...names].toSorted()).toEqual(Object.keys(guards).toSorted());
  });

  it('asks its realm who calls', async () => {
    const { app, routes } = cluster();
    for (const route of routes) {
      const { statusCode, headers } = await askedFor(app, route);
      const guard = guards[nameOf(route)] ?? 'open';
      const challenge =
        guard === 'open' ? undefined : `Basic realm="${guard[0]}", Bearer realm="${guard[0]}"`;
      expect([nameOf(route), statusCode === 401]).toEqual([nameOf(route), guard !== 'open']);
      expect(headers['www-authenticate']).toBe(challenge);
    }
  });

  it('holds back those who are allowed nothing', async () => {
    const { app, routes } = cluster();
    for (const route of routes) {
      const guard = guards[nameOf(route)] ?? 'open';
      const kind = guard === 'open' ? 'open' : guard[1];
      if (kind === 'open' || kind === 'call' || kind === 'nothing') continue;
      const { statusCode, body } = await askedFor(app, route, STRANGER);
      expect([nameOf(route), statusCode]).toEqual([nameOf(route), kind === 'refused' ? 403 : 200]);
      expect([nameOf(route), body.includes('secret')]).toEqual([nameOf(route), false]);
    }
  });
});

describe.each([
  ['master', Object.values(MASTER_CALLS), () => world.master.app],
  ['agent', Object.values(AGENT_CALLS), () => agent.agent.app],
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

it.each([
  ['master', () => world.master.app],
  ['agent', () => agent.agent.app],
] as const)('the %s has something to hide', async (_name, appOf) => {
  const { body } = await appOf().inject({
    ...{ url: '/state', headers: { authorization: ADMINISTRATOR } },
  });
  for (const name of ['secret-living', 'secret-over', 'secret-living-task', 'secret-role']) {
    expect(body).toContain(name);
  }
});
