import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { createApiServer, createMemoryStore, MemoryJobQueue } from './index.ts';
import { capacityOf, TestCluster } from './testing/cluster.ts';
import { assignedIn, INTERNAL_TOKEN, TestCaller } from './testing/factory.ts';

it('runs on virtual time, the same for the same seed', async () => {
  const run = async () => {
    const clock = new VirtualClock();
    const jobs = new MemoryJobQueue(clock, silentLogger);
    const api = await createApiServer({
      clock,
      random: seededRandom(7),
      logger: silentLogger,
      store: createMemoryStore(),
      jobs,
      internalToken: INTERNAL_TOKEN,
      secretKey: '42'.repeat(32),
      subnetCidr: '10.80.0.0/16',
    });
    await api.start();
    const { projectId, clusters } = (
      await api.app.inject({
        method: 'POST',
        url: '/internal/v1/bootstrap',
        headers: { authorization: `Bearer ${INTERNAL_TOKEN}` },
        payload: { clusters: ['idc-1'] },
      })
    ).json();
    const cluster = new TestCluster(api.app, clock, 'idc-1');
    await cluster.enrol(clusters[0].token);
    await cluster.openSession();
    await cluster.exchange({ capacity: capacityOf(clock, 9, { vcpus: 8, memoryMiB: 8192 }) });
    const caller = new TestCaller(api.app, projectId);
    const polling = cluster.exchange({}, 20_000);
    const accepted = caller.ok('POST', '/v1/batches', { name: 'b', image: 'micro', count: 9 });
    await clock.run(1_000);
    const vms = assignedIn(await polling);
    const idle = cluster.exchange({}, 20_000);
    await clock.run(20_000);
    expect(await idle).toEqual({ commands: [] });
    await api.close();
    await jobs.close();
    return { batch: await accepted, vms };
  };
  const first = await run();
  expect(first.vms).toHaveLength(9);
  expect(await run()).toEqual(first);
});
