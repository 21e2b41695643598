import {
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  NONCE_HEADER,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { INTERNAL_TOKEN, PRINCIPAL, World } from './testing/world.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const BATCH = '{"name":"first"}';

describe('a signed request', () => {
  it('goes on as its key, with nothing else that the caller claims', async () => {
    const world = await World.create();
    const answer = await world.sendSigned('POST', '/v1/batches?b=2&a=1', {
      body: BATCH,
      headers: {
        ...JSON_TYPE,
        'idempotency-key': 'once',
        'x-factory-principal': '{"role":"root"}',
        'x-factory-anything': 'x',
        'x-forwarded-for': '1.2.3.4',
        cookie: 'a=b',
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['x-answered-by']).toBe('api-server');
    const [seen] = world.apiServer.seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/v1/batches?b=2&a=1', body: BATCH });
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'once',
      authorization: `Bearer ${INTERNAL_TOKEN}`,
      'x-factory-principal': JSON.stringify(PRINCIPAL),
      'x-request-id': answer.headers['x-request-id'],
    });
    const factory = Object.keys(seen?.headers ?? {}).filter((name) => name.startsWith('x-factory'));
    expect(factory.sort()).toEqual(['x-factory-client-address', 'x-factory-principal']);
    expect(seen?.headers).not.toHaveProperty('cookie');
    expect(seen?.headers).not.toHaveProperty('x-forwarded-for');
  });

  it("gives back the api-server's answer, errors included", async () => {
    const world = await World.create();
    world.apiServer.answer = () => {
      throw Object.assign(new Error('there is no such image'), { statusCode: 422 });
    };
    const answer = await world.sendSigned('GET', '/v1/vms');
    expect(answer.status).toBe(422);
    expect(answer.headers['content-type']).toContain('application/problem+json');
  });

  it('is looked up once in a while, so that a revoked key stops working', async () => {
    const world = await World.create();
    await world.sendSigned('GET', '/v1/vms');
    await world.sendSigned('GET', '/v1/vms');
    expect(world.apiServer.lookups).toBe(1);
    world.apiServer.isRevoked = true;
    await world.clock.run(5_000);
    const answer = await world.sendSigned('GET', '/v1/vms');
    expect(answer.problem().code).toBe('FACTORY_ERR_BAD_SIGNATURE');
  });
});

describe('refused', () => {
  const refusals: readonly [string, Parameters<World['sendSigned']>[2], string][] = [
    ['a wrong secret', { secret: 'guess' }, 'FACTORY_ERR_BAD_SIGNATURE'],
    ['an unknown key', { keyId: 'key_unknown' }, 'FACTORY_ERR_BAD_SIGNATURE'],
    ['a clock an hour behind', { offsetSeconds: -3_600 }, 'FACTORY_ERR_CLOCK_SKEW'],
    ['a clock an hour ahead', { offsetSeconds: 3_600 }, 'FACTORY_ERR_CLOCK_SKEW'],
    ['a request from before the start', { offsetSeconds: -2 }, 'FACTORY_ERR_CLOCK_SKEW'],
    ['a short nonce', { nonce: 'short' }, 'FACTORY_ERR_UNSIGNED'],
  ];
  it.each(refusals)('is %s', async (_what, options, code) => {
    const world = await World.create();
    const answer = await world.sendSigned('POST', '/v1/batches', {
      body: BATCH,
      headers: JSON_TYPE,
      ...options,
    });
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.problem()).toMatchObject({ code, field: expect.any(String) });
    expect(world.apiServer.seen).toEqual([]);
  });

  it('are unknown and wrong keys in the same words', async () => {
    const world = await World.create();
    const [unknown, wrong] = [
      await world.sendSigned('GET', '/v1/vms', { keyId: 'key_unknown' }),
      await world.sendSigned('GET', '/v1/vms', { secret: 'guess' }),
    ];
    expect(unknown.problem().detail).toBe(wrong.problem().detail);
  });

  it.each(['authorization', TIMESTAMP_HEADER, NONCE_HEADER])(
    'is a request without %s, before its body is read',
    async (missing) => {
      const world = await World.create();
      const headers: Record<string, string> = {
        ...JSON_TYPE,
        ...world.sign('POST', '/v1/batches', BATCH),
      };
      delete headers[missing];
      const answer = await world.send('POST', '/v1/batches', { headers, body: BATCH });
      expect(answer.problem()).toMatchObject({
        status: 401,
        code: 'FACTORY_ERR_UNSIGNED',
        field: missing,
      });
    },
  );

  it('is a request that was changed on its way', async () => {
    const world = await World.create();
    const headers = { ...JSON_TYPE, ...world.sign('POST', '/v1/batches?dry=1', BATCH) };
    for (const [path, body] of [
      ['/v1/batches', BATCH],
      ['/v1/batches?dry=0', BATCH],
      ['/v1/batches?dry=1', `${BATCH} `],
    ] as const) {
      const answer = await world.send('POST', path, { headers, body });
      expect(answer.problem().code).toBe('FACTORY_ERR_BAD_SIGNATURE');
    }
    const right = await world.send('POST', '/v1/batches?dry=1', { headers, body: BATCH });
    expect(right.status).toBe(200);
  });

  it('is a request that was sent before', async () => {
    const world = await World.create();
    const headers = world.sign('DELETE', '/v1/vms/vm_1');
    expect((await world.send('DELETE', '/v1/vms/vm_1', { headers })).status).toBe(200);
    const again = await world.send('DELETE', '/v1/vms/vm_1', { headers });
    expect(again.problem()).toMatchObject({ status: 401, code: 'FACTORY_ERR_REPLAYED' });
    expect(world.apiServer.seen).toHaveLength(1);
    // A forger who knows the nonce can't spoil it for its owner.
    const nonce = 'the-nonce-of-someone';
    await world.sendSigned('GET', '/v1/vms', { nonce, secret: 'guess' });
    expect((await world.sendSigned('GET', '/v1/vms', { nonce })).status).toBe(200);
  });

  it('is a body of more than a MiB', async () => {
    const world = await World.create();
    const body = `{"userData":"${'x'.repeat(10 * 1024 * 1024)}"}`;
    const answer = await world.sendSigned('POST', '/v1/batches', { body, headers: JSON_TYPE });
    expect(answer.problem()).toMatchObject({ status: 413, code: 'FACTORY_ERR_BODY_TOO_LARGE' });
    expect(world.apiServer.seen).toEqual([]);
  });

  it('is who goes too fast, with the time to wait', async () => {
    const world = await World.create();
    for (let n = 0; n < 20; n += 1) {
      expect((await world.sendSigned('GET', '/v1/vms')).status).toBe(200);
    }
    const answer = await world.sendSigned('GET', '/v1/vms');
    expect(answer.problem()).toMatchObject({ status: 429, code: 'FACTORY_ERR_RATE_LIMITED' });
    const seconds = Number(answer.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    // Who has no key can't use up the rate of one who has.
    await world.clock.run(seconds * 1_000);
    for (let n = 0; n < 30; n += 1) await world.sendSigned('GET', '/v1/vms', { secret: 'guess' });
    expect((await world.sendSigned('GET', '/v1/vms')).status).toBe(200);
  });

  it('is a method that the API does not have', async () => {
    const world = await World.create();
    const headers = world.sign('OPTIONS', '/v1/vms');
    const answer = world.gateway.inject({ method: 'OPTIONS', url: '/v1/vms', headers });
    let isOver = false;
    void answer.then(() => {
      isOver = true;
    });
    await world.clock.runUntil(() => isOver, 10_000);
    expect((await answer).statusCode).toBe(400);
  });
});

describe('without a working part', () => {
  it('everything is a 503 while the api-server is away', async () => {
    const world = await World.create();
    world.network.detach('http://api');
    const answer = await world.sendSigned('GET', '/v1/vms');
    expect(answer.problem()).toMatchObject({ status: 503, code: 'FACTORY_ERR_NOT_READY' });
    const link = await world.send('POST', '/cluster-link/v1/exchange', { body: '{}' });
    expect(link.status).toBe(503);
    expect((await world.send('GET', '/health/ready')).status).toBe(503);
    await world.network.attach('http://api', world.apiServer.app);
    expect((await world.sendSigned('GET', '/v1/vms')).status).toBe(200);
    expect((await world.send('GET', '/health/ready')).status).toBe(200);
  });

  it('is refused with a 503 when replays or rates can not be checked', async () => {
    const fail = async () => {
      throw new Error('Redis is away');
    };
    const noNonces = await World.create({ nonces: { use: fail } });
    expect((await noNonces.sendSigned('GET', '/v1/vms')).status).toBe(503);
    const noRates = await World.create({ rateLimiter: { waitMs: fail } });
    expect((await noRates.sendSigned('GET', '/v1/vms')).status).toBe(503);
  });
});

describe('the cluster link', () => {
  const headers = {
    ...JSON_TYPE,
    [LINK_CLUSTER_HEADER]: 'clu_1',
    [LINK_SIGNATURE_HEADER]: 'signature',
    [TIMESTAMP_HEADER]: '1',
    [NONCE_HEADER]: 'nonce',
    'x-factory-principal': JSON.stringify(PRINCIPAL),
    authorization: `Bearer ${INTERNAL_TOKEN}`,
  };

  it('passes through unchanged, without the rights of the gateway', async () => {
    const world = await World.create();
    const body = `{"pad":"${'x'.repeat(2 * 1024 * 1024)}"}`;
    const answer = await world.send('POST', '/cluster-link/v1/exchange', { headers, body });
    expect(answer.status).toBe(200);
    const [seen] = world.apiServer.seen;
    expect(seen?.body).toBe(body);
    expect(seen?.headers).toMatchObject({
      [LINK_CLUSTER_HEADER]: 'clu_1',
      [NONCE_HEADER]: 'nonce',
    });
    expect(seen?.headers).not.toHaveProperty('authorization');
    expect(seen?.headers).not.toHaveProperty('x-factory-principal');
  });

  it('waits as long as the cluster does', async () => {
    const world = await World.create();
    world.apiServer.answer = async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      world.clock.after(25_000, resolve);
      await promise;
      return { commands: [] };
    };
    const answer = await world.send('POST', '/cluster-link/v1/exchange', { headers, body: '{}' });
    expect(answer.text).toBe('{"commands":[]}');
  });
});

describe('what is open to all', () => {
  it('is the description of the API, and nothing more', async () => {
    const world = await World.create();
    expect((await world.send('GET', '/openapi.json')).status).toBe(200);
    expect((await world.send('GET', '/internal/v1/bootstrap')).status).toBe(404);
    expect((await world.send('GET', '/v1/vms')).status).toBe(401);
  });
});
