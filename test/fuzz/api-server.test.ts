import { systemClock } from '@factory/runtime';
import { expect, it } from 'vitest';
import { capacityOf } from '../../services/api-server/src/testing/cluster.ts';
import { describeOnEachStore } from '../../services/api-server/src/testing/each-store.ts';
import { fuzz } from './run.ts';

const SEED = Number(process.env.FACTORY_FUZZ_SEED ?? 1);
const COUNT = 750;
const DEADLINE_MS = 20_000;

describeOnEachStore('the api-server, given whatever the OpenAPI document allows or not', (test) => {
  it('never answers with a 5xx and never hangs', { timeout: 120_000 }, async () => {
    const { factory } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({
      capacity: capacityOf(systemClock, 4, { vcpus: 64, memoryMiB: 65_536 }),
    });
    await factory.caller.ok('POST', '/v1/batches', { name: 'web', image: 'micro', count: 8 });
    const report = await fuzz({
      document: (await factory.api.app.inject('/openapi.json')).json(),
      ...{ count: COUNT, seed: SEED, lanes: 8, deadlineMs: DEADLINE_MS, clock: systemClock },
      // These wait for a cluster, which is silent here; a factory's own answers in the long run.
      except: ['getVmLogs', 'getVmScreenshot', 'listVmSnapshots', 'streamEvents'],
      send: async ({ method, url, headers, body }) => {
        const answer = await factory.caller.call(method, url, body, headers);
        const contentType = String(answer.headers['content-type'] ?? '');
        return { status: answer.statusCode, contentType, body: answer.body };
      },
    });
    expect(report.faults, `seed ${SEED}`).toEqual([]);
    expect(report.sent).toBe(COUNT);
  });
});
