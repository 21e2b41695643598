import { createHttpApp, listen, silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryElection } from '../election/index.ts';
import type { MasterInfo } from '../protocol/index.ts';
import type { Master } from './index.ts';
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
  return { app, close, invariants: () => [] };
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
  const app = () => createStandbyApp({ ...shared, leader: () => leadership.view });

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

  it.each(['/health', '/master/health', '/version', '/metrics/snapshot', '/health/ready'])(
    'answers GET %s itself',
    async (url) => {
      await election.contend(info('other'), signal);
      leadership.start();
      await settled();
      expect((await app().inject({ url })).statusCode).toBe(200);
    },
  );

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
    const standby = createStandbyApp({ ...shared, leader: () => ({ type: 'nobody' }) });
    const server = await listen(standby, { host: '127.0.0.1', port: 0, graceMs: 100 });
    stop = server.close;
    const ask = async () => {
      // biome-ignore lint/style/noRestrictedGlobals: a real connection is the point here
      const response = await fetch(`${server.url}/api/v1/scheduler`, { method: 'POST' });
      return [response.status, await response.text()];
    };
    expect(await ask()).toEqual([503, 'No leader elected']);
    await handOver(standby, fakeMaster().app);
    expect(await ask()).toEqual([200, 'the leader answers']);
  });
});
