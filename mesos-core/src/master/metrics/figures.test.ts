import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { jsonPieces, LazyObject } from '../../protocol/index.ts';
import { createMaster, createMemoryRegistryStore } from '../index.ts';
import { FRAMEWORK, World } from '../testing/world.ts';

describe('metrics', () => {
  it('are in the order of their names, those of frameworks in their place', async () => {
    const world = new World();
    await world.startMaster();
    await world.startScheduler('b', { ...FRAMEWORK, name: 'b/ä' });
    await world.startScheduler('a', { ...FRAMEWORK, name: 'a' });
    const { body } = await world.master.app.inject({ url: '/metrics/snapshot' });
    const names = [...body.matchAll(/"([^"]+)":/g)].map(([, name = '']) => name);
    expect(names).toEqual(names.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => /\d\/subscribed$/.test(name))).toEqual([
      expect.stringMatching(/^master\/frameworks\/a\//),
      expect.stringMatching(/^master\/frameworks\/b%2F%C3%A4\//),
    ]);
    const payload = '{"type":"GET_METRICS","get_metrics":{}}';
    const headers = { 'content-type': 'application/json' };
    const call = { method: 'POST', url: '/api/v1', headers, payload } as const;
    const { get_metrics } = (await world.master.app.inject(call)).json();
    expect(get_metrics.metrics.map(({ name }: { name: string }) => name)).toEqual(names);
    await world.close();
  });

  it('are told whatever a framework calls itself', async () => {
    const { app } = await createMaster({
      ...{ clock: new VirtualClock(), random: seededRandom('m'), logger: silentLogger },
      registry: createMemoryRegistryStore(),
      address: { hostname: 'm', ip: '127.0.0.1', port: 5050 },
    });
    // Half of a pair, as JSON can have it.
    const payload =
      '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"\\ud800","user":"u"}}}';
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    await app.inject({
      ...{ method: 'POST', url: '/api/v1/scheduler', headers, payload, payloadAsStream: true },
    });
    const { statusCode, body } = await app.inject({ url: '/metrics/snapshot' });
    expect(statusCode).toBe(200);
    expect(body).toContain('master/frameworks/%EF%BF%BD/');
  });

  it('are made one by one', () => {
    const entries = Array.from({ length: 5 }, (_, index) => [`${index}`, index] as const);
    const pieces = [...jsonPieces(new LazyObject(() => [...entries, undefined]))];
    expect(pieces.length).toBeGreaterThan(5);
    expect(JSON.parse(pieces.join(''))).toEqual({ 0: 0, 1: 1, 2: 2, 3: 3, 4: 4 });
  });
});
