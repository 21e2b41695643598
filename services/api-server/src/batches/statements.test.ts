import { sqlStatements } from '@factory/runtime/postgres';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';

async function statements(): Promise<number> {
  const { values } = await sqlStatements.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

describeOnEachStore('a batch of 10,000 machines', (test) => {
  it('is accepted and planned with a handful of statements, as one of 10 is', async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    const room = { vcpus: 4_000, memoryMiB: 4_000_000 };
    await cluster.exchange({ capacity: capacityOf(clock, 4, room) });
    const made = async (name: string, count: number): Promise<number> => {
      const before = await statements();
      const polling = cluster.exchange({}, 20_000);
      const request = { name, image: 'micro', count, memoryMiB: 64 };
      await factory.caller.ok('POST', '/v1/batches', request);
      expect((await polling).commands.length).toBeGreaterThan(0);
      return (await statements()) - before;
    };
    const few = await made('few', 10);
    const many = await made('many', 10_000);
    // Sweeps and the cluster's polls are among them.
    expect(few).toBeLessThan(120);
    expect(many).toBeLessThan(few + 60);
  }, 120_000);
});
