import { systemClock, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describe("a batch with an administrator's password", () => {
  describeOnEachStore('of Windows machines', (test) => {
    const wanted = {
      ...{ name: 'win', image: 'micro', count: 1, memoryMiB: 64 },
      ...{ adminPassword: 'open sesame', hardware: { os: 'windows' } },
    };

    it('is kept sealed, and opened for its cluster', async () => {
      const { factory, clock } = test();
      const cluster = await factory.join('idc-1');
      const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, ['micro']);
      await cluster.exchange({ capacity });
      const { id, ...answer } = await factory.caller.ok('POST', '/v1/batches', wanted);
      expect(JSON.stringify(answer)).not.toContain('sesame');
      const kept = await factory.store.batches.find(factory.caller.projectId, id);
      expect(kept?.batch.wishes.adminPassword).toBeDefined();
      expect(JSON.stringify(kept)).not.toContain('sesame');
      const spec = await waitFor(systemClock, 'the machine', 10_000, async () => {
        const [found] = assignedIn(await cluster.exchange({}, 1_000));
        return found?.spec;
      });
      expect(spec).toMatchObject({ adminPassword: 'open sesame', hardware: { os: 'windows' } });
    }, 30_000);

    it('is refused where nobody would set it', async () => {
      const { factory, clock } = test();
      const cluster = await factory.join('idc-1');
      const capacity = capacityOf(clock, 1, { vcpus: 4, memoryMiB: 4096 }, ['micro']);
      await cluster.exchange({ capacity });
      const { hardware: _, ...linux } = wanted;
      const refused = await factory.caller.call('POST', '/v1/batches', linux);
      expect(refused.statusCode).toBe(400);
      expect(refused.json()).toMatchObject({ field: 'adminPassword' });
    });
  });
});
