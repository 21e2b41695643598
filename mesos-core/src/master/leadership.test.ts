import { createHttpApp, listen, silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryElection } from '../election/index.ts';
import { LoggingLevel } from '../logging-level.ts';
import type { MasterInfo } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthenticator } from '../security/authenticator.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import { openToAll } from '../security/index.ts';
import { createMaster, createMemoryRegistryStore, type Master } from './index.ts';
import { Leadership } from './leadership.ts';
import { masterInfoOf } from './master-info.ts';
import { createStandbyApp, handOver } from './standby.ts';

const shared = { clock: systemClock, random: systemRandom, logger: silentLogger };
const { signal } = new AbortController();

let election: MemoryElection;
let happened: string[];
let leadership: Leadership;
let loading: PromiseWithResolvers<void>;

function info(name: string): MasterInfo {
  return masterInfoOf(name, { hostname: name, ip: '10.0.0.1', port: 5050 });
}

/** Lets promises that wait for nothing else settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
}

function fakeMaster(): Master {
  const app = createHttpApp({ service: 'leader', ...shared });
  app.post('/api/v1/scheduler', async () => 'the leader answers');
  const close = async () => {
    happened.push('closed');
  };
  return { app, lane: { attach: () => undefined }, close, invariants: () => [] };
}

beforeEach(() => {
  election = new MemoryElection();
  happened = [];
  loading = Promise.withResolvers();
  loading.resolve();
  leadership = new Leadership({
    ...{ logger: silentLogger, contender: election, detector: election, info: info('me') },
    lead: async () => {
      happened.push('loads');
      await loading.promise;
      return fakeMaster();
    },
    serve: async () => {
      happened.push('serves');
    },
    onLost: (why) => happened.push(`exits: ${why}`),
  });
});

describe('a master process', () => {
  it('leads as soon as it is elected, when it is alone', async () => {
    leadership.start();
    await settled();
    expect(happened).toEqual(['loads', 'serves']);
    await leadership.close();
    expect(happened).toEqual(['loads', 'serves', 'closed']);
  });

  it('does not look at the registry before it is elected', async () => {
    const other = await election.contend(info('other'), signal);
    leadership.start();
    await settled();
    expect(happened).toEqual([]);
    expect(leadership.view).toMatchObject({ type: 'another', leader: { info: { id: 'other' } } });
    election.remove(other.id, 'gone');
    await settled();
    expect(happened).toEqual(['loads', 'serves']);
  });

  it('sends nobody to itself while a node of an earlier process at its address comes first', async () => {
    const earlier = await election.contend({ ...info('me'), id: 'earlier' }, signal);
    leadership.start();
    await settled();
    expect(leadership.view).toEqual({ type: 'nobody' });
    election.remove(earlier.id, 'its session has expired');
    await settled();
    expect(happened).toEqual(['loads', 'serves']);
  });

  it('exits when it leads no more', async () => {
    leadership.start();
    await settled();
    election.remove(election.leader?.id ?? '', 'the session has expired');
    await settled();
    expect(happened).toEqual(['loads', 'serves', 'exits: the session has expired']);
  });

  it('exits when it loses the election while it still reads the registry', async () => {
    loading = Promise.withResolvers();
    leadership.start();
    await settled();
    expect(leadership.view).toEqual({ type: 'this' });
    election.remove(election.leader?.id ?? '', 'the session has expired');
    await settled();
    loading.resolve();
    await settled();
    expect(happened).toEqual(['loads', 'exits: the session has expired']);
  });

  it('exits when it can not read the registry', async () => {
    loading = Promise.withResolvers();
    loading.reject(new Error('unreadable'));
    leadership.start();
    await settled();
    expect(happened).toEqual(['loads', 'exits: it could not take up the leadership']);
  });

  it('stands again when it loses its candidacy as a standby', async () => {
    const other = await election.contend(info('other'), signal);
    leadership.start();
    await settled();
    election.remove('candidate-1', 'the session has expired');
    await settled();
    expect(happened).toEqual([]);
    election.remove(other.id, 'gone');
    await settled();
    expect(happened).toEqual(['loads', 'serves']);
  });
});

describe('a standby', () => {
  const logging = new LoggingLevel(systemClock);
  const flags = { port: '5050' };
  const standing = () => ({
    ...{ ...shared, security: openToAll, flags, logging },
    leader: () => leadership.view,
  });
  const app = () => createStandbyApp(standing());
  afterEach(() => logging.close());

  it.each([
    ['POST', '/api/v1/scheduler', '//other:5050/api/v1/scheduler'],
    ['POST', '/api/v1', '//other:5050/api/v1'],
    ['POST', '/internal/v1/agent', '//other:5050/internal/v1/agent'],
    ['GET', '/master/state?jsonp=f', '//other:5050/master/state?jsonp=f'],
    ['GET', '/state-summary', '//other:5050/state-summary'],
    ['GET', '/redirect', '//other:5050'],
    ['GET', '/master/redirect', '//other:5050'],
  ] as const)('sends %s %s to the leader', async (method, url, location) => {
    await election.contend(info('other'), signal);
    leadership.start();
    await settled();
    const headers = { 'content-type': 'application/x-protobuf' };
    const response = await app().inject({
      method,
      url,
      headers,
      payload: method === 'POST' ? 'x' : '',
    });
    expect(response.statusCode).toBe(307);
    expect(response.headers).toMatchObject({ location, 'content-length': '0' });
    expect(response.body).toBe('');
  });

  const OWN = [
    ...['/health', '/version', '/metrics/snapshot', '/flags', '/system/stats.json'],
    ...['/files/debug', '/logging/toggle'],
  ];
  it.each([...OWN, ...OWN.map((url) => `/master${url}`), '/health/ready', '/metrics'])(
    'answers GET %s itself',
    async (url) => {
      await election.contend(info('other'), signal);
      leadership.start();
      await settled();
      expect((await app().inject({ url })).statusCode).toBe(200);
    },
  );

  it('answers in the words of the leader', async () => {
    const leader = await createMaster({
      ...{ ...shared, flags, logging, registry: createMemoryRegistryStore() },
      address: { hostname: 'leader', ip: '10.0.0.1', port: 5050 },
    });
    const tell = (url: string) => [app(), leader.app].map(async (each) => each.inject({ url }));
    for (const url of [
      '/version',
      '/flags',
      '/flags?jsonp=f',
      '/files/browse?path=/x',
      '/health',
    ]) {
      const [own, others] = await Promise.all(tell(url));
      expect([url, own?.statusCode, own?.body]).toEqual([url, others?.statusCode, others?.body]);
    }
    await leader.close();
  });

  it('keeps its logging level when it comes to lead', async () => {
    const url = '/logging/toggle?level=2&duration=10mins';
    expect((await app().inject({ method: 'POST', url })).statusCode).toBe(200);
    const leader = await createMaster({
      ...{ ...shared, flags, logging, registry: createMemoryRegistryStore() },
      address: { hostname: 'leader', ip: '10.0.0.1', port: 5050 },
    });
    expect((await leader.app.inject({ url: '/logging/toggle' })).body).toBe('2\n');
    await leader.close();
  });

  it('asks who calls, and whether they may, as the leader does', async () => {
    await election.contend(info('other'), signal);
    leadership.start();
    await settled();
    const realm = 'mesos-master-readonly';
    const credentials = [{ principal: 'ann', secret: 's' }];
    const security = {
      authenticators: new Map([[realm, createAuthenticator({ realm, credentials })] as const]),
      authorizer: createAuthorizer(parseAcls('{"permissive": false}')),
    };
    const guarded = createStandbyApp({ ...standing(), security });
    expect((await guarded.inject({ url: '/flags' })).statusCode).toBe(401);
    expect((await guarded.inject({ url: '/version' })).statusCode).toBe(200);
    expect((await guarded.inject({ url: '/state' })).statusCode).toBe(307);
    const headers = { authorization: `Basic ${Buffer.from('ann:s').toString('base64')}` };
    for (const url of ['/flags', '/metrics/snapshot', '/files/debug', '/logging/toggle']) {
      expect([url, (await guarded.inject({ url, headers })).statusCode]).toEqual([url, 403]);
    }
  });

  it('answers 503 while nobody leads, and while it reads the registry itself', async () => {
    const call = { method: 'POST', url: '/api/v1/scheduler' } as const;
    const none = await app().inject(call);
    expect([none.statusCode, none.body]).toEqual([503, 'No leader elected']);
    loading = Promise.withResolvers();
    leadership.start();
    await settled();
    const recovering = await app().inject(call);
    expect([recovering.statusCode, recovering.body]).toEqual([
      503,
      'Master has not finished recovery',
    ]);
    expect((await app().inject({ url: '/health/ready' })).statusCode).toBe(503);
    loading.resolve();
  });
});

describe('the port of a master', () => {
  let stop: () => Promise<void> = async () => undefined;
  afterEach(() => stop());

  it('answers as the leader from the moment it leads, on connections that are open too', async () => {
    const standby = createStandbyApp({
      ...{ ...shared, security: openToAll, flags: {}, logging: new LoggingLevel(systemClock) },
      leader: () => ({ type: 'nobody' }),
    });
    const server = await listen(standby, { host: '127.0.0.1', port: 0, graceMs: 100 });
    stop = server.close;
    const ask = async () => {
      // biome-ignore lint/style/noRestrictedGlobals: a real connection is the point here
      const response = await fetch(`${server.url}/api/v1/scheduler`, { method: 'POST' });
      return [response.status, await response.text()];
    };
    expect(await ask()).toEqual([503, 'No leader elected']);
    await handOver(standby, fakeMaster());
    expect(await ask()).toEqual([200, 'the leader answers']);
  });
});
