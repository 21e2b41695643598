import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../log.ts';
import { seededRandom } from '../simulated/seeded-random.ts';
import { SimulatedNetwork } from '../simulated/simulated-network.ts';
import { VirtualClock } from '../simulated/virtual-clock.ts';
import { createHttpApp } from './app.ts';
import { chooseServer, createServerPool } from './server-pool.ts';
import type { HttpRequest } from './transport.ts';

const URLS = ['http://one', 'http://two'] as const;

/** Two servers that tell who answered, and a pool over both. */
async function twoServers(check?: { readonly path: string; readonly intervalMs: number }) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  const seen: string[] = [];
  const silent = new Set<string>();
  const unready = new Set<string>();
  for (const url of URLS) {
    const isReady = () => ({ ready: !unready.has(url), reasons: [] });
    const app = createHttpApp({ service: 'test', clock, logger: silentLogger, isReady });
    app.all('/work', async (request) => {
      seen.push(`${request.method} ${url}`);
      if (silent.has(url)) {
        // Carried out, and gone before it could say so.
        network.detach(url);
        await network.attach(url, app);
      }
      return { by: url };
    });
    await network.attach(url, app);
  }
  const pool = createServerPool({
    ...{ clock, transport: network.transport('client'), urls: URLS },
    ...(check === undefined ? {} : { check }),
  });
  const call = async (more: Partial<HttpRequest> = {}): Promise<string> => {
    const request = { method: 'GET', url: 'http://one/work', timeoutMs: 10_000, ...more } as const;
    const asked = pool.request(request).then(
      ({ body }) => String(JSON.parse(new TextDecoder().decode(body)).by),
      () => 'failed',
    );
    let isOver = false;
    void asked.then(() => {
      isOver = true;
      clock.noteActivity();
    });
    await clock.runUntil(() => isOver, 60_000);
    return asked;
  };
  return { clock, network, pool, call, seen, silent, unready };
}

const POST = { method: 'POST' } as const;

describe('several servers as one', () => {
  it('share the calls', async () => {
    const { call } = await twoServers();
    const answers = [await call(), await call(), await call(), await call()];
    expect(answers.toSorted()).toEqual(['http://one', 'http://one', 'http://two', 'http://two']);
  });

  it('take what one of them can not be reached with, whatever it is', async () => {
    const { network, call, seen } = await twoServers();
    network.detach('http://two');
    for (let n = 0; n < 4; n += 1) expect(await call(POST)).toBe('http://one');
    expect(seen).toHaveLength(4);
  });

  it('are not asked twice for what one of them may have done', async () => {
    const { call, seen, silent } = await twoServers();
    for (const url of URLS) silent.add(url);
    expect(await call(POST)).toBe('failed');
    expect(seen).toHaveLength(1);
  });

  it('are asked again for what may be repeated', async () => {
    const { call, seen, silent } = await twoServers();
    silent.add('http://one');
    const headers = { 'idempotency-key': 'k' };
    for (const more of [
      { ...POST, headers },
      {},
      { method: 'DELETE' },
      { method: 'PUT' },
    ] as const) {
      expect(await call(more)).toBe('http://two');
    }
    expect(seen.filter((each) => each.endsWith('one')).length).toBeLessThanOrEqual(1);
  });

  it('leave one alone for a while that failed, and come back to it', async () => {
    const { clock, network, call, seen, silent } = await twoServers();
    silent.add('http://one');
    while (!seen.some((each) => each.endsWith('one'))) await call();
    const before = seen.length;
    for (let n = 0; n < 3; n += 1) await call();
    expect(seen.slice(before)).toEqual(Array(3).fill('GET http://two'));
    silent.clear();
    await clock.run(2_001);
    const answers = [await call(), await call()];
    expect(answers).toContain('http://one');
    expect(network.statistics.requests).toBeGreaterThan(0);
  });

  it('give nothing to one that says that it is not ready', async () => {
    const { clock, pool, call, unready } = await twoServers({
      path: '/health/ready',
      intervalMs: 1_000,
    });
    unready.add('http://one');
    await clock.run(1_100);
    for (let n = 0; n < 3; n += 1) expect(await call()).toBe('http://two');
    expect(pool.place('http://one/console/x')).toBe('http://two/console/x');
    unready.clear();
    await clock.run(1_100);
    expect([await call(), await call()]).toContain('http://one');
    await pool.close();
  });

  it('are all tried before a call fails', async () => {
    const { network, call } = await twoServers();
    for (const url of URLS) network.detach(url);
    expect(await call()).toBe('failed');
    expect(network.statistics.requests).toBe(2);
  });
});

describe('the choice of a server', () => {
  const states = fc.array(
    fc.record({ isReady: fc.boolean(), restingUntilMs: fc.nat(10), calls: fc.nat(5) }),
    { minLength: 1, maxLength: 5 },
  );

  it('is one that was not tried, and ready when there is such a one', () => {
    fc.assert(
      fc.property(states, fc.nat(100), fc.uniqueArray(fc.nat(4)), (servers, turn, tried) => {
        const left = servers.flatMap((_, index) => (tried.includes(index) ? [] : [index]));
        const chosen = chooseServer(servers, 5, turn, new Set(tried));
        if (chosen === undefined) expect(left).toEqual([]);
        else expect(left).toContain(chosen);
        const isReady = left.some((index) => servers[index]?.isReady);
        expect(servers[chosen ?? -1]?.isReady ?? false).toBe(isReady);
      }),
    );
  });
});
