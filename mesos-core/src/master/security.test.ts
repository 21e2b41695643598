import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, describe, expect, it } from 'vitest';
import { AGENT_API_PATH } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthenticator } from '../security/authenticator.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import type { Realm } from '../security/realms.ts';
import { createMaster, createMemoryRegistryStore, type Master } from './index.ts';
import { FRAMEWORK } from './testing/world.ts';

const credentials = [
  { principal: 'alice', secret: 'a1' },
  { principal: 'bob', secret: 'b2' },
];
const REALMS: readonly Realm[] = [
  ...(['mesos-master-readonly', 'mesos-master-readwrite'] as const),
  ...(['mesos-master-scheduler', 'mesos-master-agent'] as const),
];

let master: Master;
afterEach(() => master.close());

async function start(acls: unknown = {}, realms: readonly Realm[] = REALMS): Promise<void> {
  const authenticators = new Map(
    realms.map((realm) => [realm, createAuthenticator({ realm, credentials })]),
  );
  const authorizer = createAuthorizer(parseAcls(JSON.stringify(acls)));
  master = await createMaster({
    ...{ clock: new VirtualClock(), random: seededRandom('m'), logger: silentLogger },
    registry: createMemoryRegistryStore(),
    address: { id: 'master-id', hostname: 'master', ip: '127.0.0.1', port: 5050 },
    security: { authenticators, authorizer },
  });
}

function call(url: string, body: unknown, who?: string, headers: Record<string, string> = {}) {
  const pair = { alice: 'alice:a1', bob: 'bob:b2' }[who ?? ''] ?? who;
  const authorization = pair && `Basic ${Buffer.from(pair).toString('base64')}`;
  return master.app.inject({
    ...{ method: 'POST', url, payload: JSON.stringify(body) },
    headers: {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
      ...headers,
    },
  });
}

function subscribe(who: string | undefined, info: object = {}) {
  const framework_info = { ...FRAMEWORK, ...info };
  const framework_id = framework_info.id;
  const body = { type: 'SUBSCRIBE', framework_id, subscribe: { framework_info } };
  return call('/api/v1/scheduler', body, who);
}

describe('a master that authenticates', () => {
  it.each([
    ['POST', '/api/v1', 'mesos-master-readwrite'],
    ['POST', '/api/v1/scheduler', 'mesos-master-scheduler'],
    ['POST', AGENT_API_PATH, 'mesos-master-agent'],
    ['GET', '/metrics/snapshot', 'mesos-master-readonly'],
    ['GET', '/master/metrics/snapshot', 'mesos-master-readonly'],
    ['GET', '/metrics', 'mesos-master-readonly'],
    ['GET', '/nowhere', 'mesos-master-readonly'],
  ] as const)(
    'answers %s %s with 401 and the challenge of its realm',
    async (method, url, realm) => {
      await start();
      const { statusCode, headers, body } = await master.app.inject({ method, url });
      expect({ statusCode, body }).toEqual({ statusCode: 401, body: '401 Unauthorized.' });
      expect(headers['www-authenticate']).toBe(`Basic realm="${realm}"`);
    },
  );

  it('refuses a wrong secret, and lets the right one in', async () => {
    await start();
    expect((await call('/api/v1', { type: 'GET_HEALTH' }, 'alice:wrong')).statusCode).toBe(401);
    expect((await call('/api/v1', { type: 'GET_HEALTH' }, 'alice')).statusCode).toBe(200);
  });

  it.each(['/health', '/health/live', '/version', '/master/health'])(
    'answers probes of %s without secrets',
    async (url) => {
      await start();
      expect((await master.app.inject(url)).statusCode).toBe(200);
    },
  );

  it.each(['/api/v1?x=/health', '/%61pi/v1'])('is not fooled by %s', async (url) => {
    await start();
    expect((await call(url, { type: 'GET_HEALTH' })).statusCode).toBe(401);
  });

  it('asks only where it was told to', async () => {
    await start({}, ['mesos-master-scheduler']);
    expect((await call('/api/v1', { type: 'GET_HEALTH' })).statusCode).toBe(200);
    expect((await subscribe(undefined)).statusCode).toBe(401);
  });
});

describe('a framework', () => {
  it("whose principal is another's is told so as Mesos does", async () => {
    await start();
    const { statusCode, body } = await subscribe('alice', { principal: 'bob' });
    expect({ statusCode, body }).toEqual({
      statusCode: 400,
      body:
        "Failed to validate scheduler::Call: Authenticated principal 'alice' does not match " +
        "principal 'bob' set in `FrameworkInfo`",
    });
  });

  it('with roles that it may not use gets an ERROR', async () => {
    await start({
      register_frameworks: [
        { principals: { values: ['alice'] }, roles: { values: ['eng'] } },
        { principals: { type: 'NONE' }, roles: { type: 'ANY' } },
      ],
    });
    const { body } = await subscribe('bob', { roles: ['eng', 'ops'] });
    expect(JSON.parse(body.split('\n')[1] ?? '')).toEqual({
      ...{ type: 'ERROR', error: { message: "Not authorized to use roles '{ eng, ops }'" } },
    });
  });
});

describe('an operator', () => {
  it.each([
    ['TEARDOWN', { type: 'TEARDOWN', teardown: { framework_id: { value: 'f' } } }],
    ['MARK_AGENT_GONE', { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: 'a' } } }],
    [
      'UPDATE_WEIGHTS',
      { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'eng', weight: 2 }] } },
    ],
    [
      'UPDATE_WEIGHTS of a role with spaces around it',
      { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: ' eng ', weight: 2 }] } },
    ],
    [
      'UPDATE_QUOTA',
      { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'ops' }, { role: 'eng' }] } },
    ],
    ['SET_QUOTA', { type: 'SET_QUOTA', set_quota: { quota_request: { role: 'eng' } } }],
    ['REMOVE_QUOTA', { type: 'REMOVE_QUOTA', remove_quota: { role: 'eng' } }],
    ['GET_FLAGS', { type: 'GET_FLAGS' }],
  ])('without the right to %s gets a 403', async (_type, body) => {
    const onlyAlice = [
      { principals: { values: ['alice'] }, objects: { type: 'ANY' } },
      { principals: { type: 'NONE' }, objects: { type: 'ANY' } },
    ];
    const rules = (name: string) =>
      onlyAlice.map(({ principals, objects }) => ({
        principals,
        [name]: objects,
      }));
    const eng = { values: ['eng'] };
    const engRules = [
      { principals: { values: ['alice'] }, roles: eng },
      { principals: { type: 'NONE' as const }, roles: eng },
    ];
    await start({
      teardown_frameworks: rules('framework_principals'),
      mark_agents_gone: rules('agents'),
      update_weights: engRules,
      update_quotas: engRules,
      view_flags: rules('flags'),
    });
    const refused = await call('/api/v1', body, 'bob');
    expect(refused.statusCode).toBe(403);
    expect(refused.body).toBe('403 Forbidden.');
    expect((await call('/api/v1', body, 'alice')).statusCode).not.toBe(403);
  });

  it('without the right to TEARDOWN gets a 403 for a form, too', async () => {
    await start({
      teardown_frameworks: [
        { principals: { values: ['alice'] }, framework_principals: { type: 'ANY' } },
        { principals: { type: 'NONE' }, framework_principals: { type: 'ANY' } },
      ],
    });
    const teardown = (who: string) =>
      master.app.inject({
        ...{ method: 'POST', url: '/master/teardown', payload: 'frameworkId=f' },
        headers: { authorization: `Basic ${Buffer.from(who).toString('base64')}` },
      });
    expect((await teardown('bob:b2')).statusCode).toBe(403);
    expect((await teardown('alice:a1')).statusCode).toBe(400);
  });
});
