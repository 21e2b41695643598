import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListedRoute } from '../testing/route-list.ts';
import type { Realm } from './realms.ts';
import {
  ADMINISTRATOR,
  type SecretCluster,
  STRANGER,
  startSecretCluster,
} from './testing/secret-cluster.ts';

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

let cluster: SecretCluster;

beforeAll(async () => {
  cluster = await startSecretCluster();
});
afterAll(() => cluster.world.close());

/** As the tables name it. */
const nameOf = ({ method, url }: ListedRoute): string =>
  `${method} ${url.replace(/^\/(master|slave\(1\))(?=\/)/, '')}`;

const askedFor = (app: FastifyInstance, { method, url }: ListedRoute, authorization?: string) => {
  const body = BODIES[nameOf({ method, url })];
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const path = url.replace('*', 'x');
  const query = url.includes('/files/') ? `?path=${encodeURIComponent(cluster.sandbox)}` : '';
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
  ['master', MASTER, () => ({ app: cluster.world.master.app, routes: cluster.masterRoutes })],
  ['agent', AGENT, () => ({ app: cluster.agent.agent.app, routes: cluster.agentRoutes })],
] as const)('each route of the %s', (_name, guards, side) => {
  it('has a guard that is named here', () => {
    const names = new Set(side().routes.map(nameOf));
    expect([...names].toSorted()).toEqual(Object.keys(guards).toSorted());
  });

  it('asks its realm who calls', async () => {
    const { app, routes } = side();
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
    const { app, routes } = side();
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

it.each([
  ['master', () => cluster.world.master.app],
  ['agent', () => cluster.agent.agent.app],
] as const)('the %s has something to hide', async (_name, appOf) => {
  const { body } = await appOf().inject({
    ...{ url: '/state', headers: { authorization: ADMINISTRATOR } },
  });
  for (const name of ['secret-living', 'secret-over', 'secret-living-task', 'secret-role']) {
    expect(body).toContain(name);
  }
});
