import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock, waitFor } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createMemoryNonceStore,
  createMemoryRateLimiter,
  createRedisNonceStore,
  createRedisRateLimiter,
  type NonceStore,
  type RateLimiter,
} from './index.ts';

const REDIS = '/usr/bin/redis-server';

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}

/** What is being tested, on one kind of memory. */
interface Kind {
  readonly name: string;
  readonly isMissing: boolean;
  open(): Promise<{
    nonces(): NonceStore;
    nowSeconds(): number;
    limiter(requestsPerSecond: number): RateLimiter;
    /** Lets time pass, really or not. */
    pass(ms: number): Promise<void>;
    /** Takes all that it knows, of a kind that others can empty. */
    empty?(): Promise<void>;
    close(): Promise<void>;
  }>;
}

const memory: Kind = {
  name: 'in memory',
  isMissing: false,
  open: async () => {
    const clock = new VirtualClock();
    return {
      nonces: () => createMemoryNonceStore(clock),
      nowSeconds: () => Math.floor(clock.nowMs() / 1000),
      limiter: (requestsPerSecond) => createMemoryRateLimiter(clock, requestsPerSecond),
      pass: (ms) => clock.run(ms),
      close: async () => undefined,
    };
  },
};

const redis: Kind = {
  name: 'in Redis',
  isMissing: !existsSync(REDIS),
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gateway-redis-'));
    const port = await freePort();
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
    const options = [...where, '--save', '', '--appendonly', 'no'];
    const child: ChildProcess = spawn(REDIS, options, { stdio: 'ignore' });
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true, maxRetriesPerRequest: 50 });
    client.on('error', () => undefined);
    const isUp = async () => ((await client.ping().catch(() => '')) === 'PONG' ? true : undefined);
    await waitFor(systemClock, 'Redis', 10_000, isUp);
    return {
      nonces: () => createRedisNonceStore(client, systemClock),
      nowSeconds: () => Math.floor(systemClock.nowMs() / 1000),
      empty: async () => void (await client.flushall()),
      limiter: (requestsPerSecond) => createRedisRateLimiter(client, requestsPerSecond),
      pass: (ms) => sleep(systemClock, ms),
      close: async () => {
        client.disconnect();
        const ended = Promise.withResolvers<void>();
        child.once('exit', () => ended.resolve());
        child.kill('SIGTERM');
        await ended.promise;
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

for (const { name, isMissing, open } of [memory, redis]) {
  describe.skipIf(isMissing)(`the gateway's stores ${name}`, () => {
    let place: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      place = await open();
    });
    afterAll(() => place.close());

    it('know a nonce again, of the same key only', async () => {
      const nonces = place.nonces();
      const later = place.nowSeconds() + 60;
      expect(await nonces.use('key_1', 'a', later)).toBe('first');
      expect(await nonces.use('key_1', 'a', later)).toBe('again');
      expect(await nonces.use('key_2', 'a', later)).toBe('first');
      expect(await nonces.use('key_1', 'b', later)).toBe('first');
    });

    it('are not sure of what was signed before their memory began', async () => {
      const nonces = place.nonces();
      const beganSeconds = place.nowSeconds();
      expect(await nonces.use('key_1', 'old', beganSeconds - 60)).toBe('unsure');
      expect(await nonces.use('key_1', 'old', beganSeconds - 60)).toBe('again');
    });

    it('let one of many at the same moment use a nonce', async () => {
      const nonces = place.nonces();
      const later = place.nowSeconds() + 60;
      const uses = Array.from({ length: 20 }, () => nonces.use('key_1', 'at once', later));
      expect((await Promise.all(uses)).filter((use) => use === 'first')).toHaveLength(1);
    });

    it('let through what the rate allows, and say how long the rest must wait', async () => {
      const limiter = place.limiter(1);
      const waits: number[] = [];
      for (let n = 0; n < 12; n += 1) waits.push(await limiter.waitMs('key_rate'));
      expect(waits.slice(0, 10)).toEqual(Array(10).fill(0));
      for (const wait of waits.slice(10)) {
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(10_000);
      }
      expect(await limiter.waitMs('key_other')).toBe(0);
    });
  });
}

describe("the memory's bounds", () => {
  it('nonces are forgotten when their signature is too old anyway', async () => {
    const clock = new VirtualClock();
    const nonces = createMemoryNonceStore(clock);
    const later = clock.nowMs() / 1000;
    await nonces.use('key_1', 'a', later);
    await clock.run(599_000);
    expect(await nonces.use('key_1', 'a', later)).toBe('again');
    await clock.run(2_000);
    expect(await nonces.use('key_1', 'a', later)).toBe('first');
  });

  it('a key may go on in the next window', async () => {
    const clock = new VirtualClock();
    const limiter = createMemoryRateLimiter(clock, 1);
    for (let n = 0; n < 10; n += 1) await limiter.waitMs('key_1');
    const waitMs = await limiter.waitMs('key_1');
    await clock.run(waitMs);
    expect(await limiter.waitMs('key_1')).toBe(0);
  });
});

it.skipIf(redis.isMissing)('a window in Redis ends by itself', { timeout: 20_000 }, async () => {
  const place = await redis.open();
  try {
    const limiter = place.limiter(1);
    for (let n = 0; n < 10; n += 1) await limiter.waitMs('key_1');
    const waitMs = await limiter.waitMs('key_1');
    expect(waitMs).toBeGreaterThan(9_000);
    // A window that lost its expiry would shut a key out for ever.
    expect(waitMs).toBeLessThanOrEqual(10_000);
  } finally {
    await place.close();
  }
});

it.skipIf(redis.isMissing)(
  'a Redis that was emptied is sure of nothing that came before',
  async () => {
    const place = await redis.open();
    try {
      const nonces = place.nonces();
      const signedAtSeconds = place.nowSeconds();
      expect(await nonces.use('key_1', 'a', signedAtSeconds)).toBe('first');
      await place.empty?.();
      await place.pass(1_100);
      expect(await nonces.use('key_1', 'a', signedAtSeconds)).toBe('unsure');
      expect(await nonces.use('key_1', 'b', place.nowSeconds() + 1)).toBe('first');
    } finally {
      await place.close();
    }
  },
);
