import type { VmHardware } from '@factory/contracts';
import { sleep, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { ROUGH, Run } from './scenario.ts';

const HOSTS = 3;
/** On each of them. */
const CARDS = ['0000:3b:00.0', '0000:3c:00.0', '0000:af:00.0', '0000:b0:00.0'];
const OFFERS = {
  resources: `gpus:${CARDS.length};pinned_cpus:8`,
  attributes: `gpu_devices:{${CARDS.join()}};gpu_model:A100;pinned_cpus:[8-15]`,
};
const ALL = HOSTS * CARDS.length;
const hardware: VmHardware = { gpus: 1, gpuModel: 'A100', cpu: { pinned: true } };

describe.each([10, 120, 1_000])('graphics cards and cores, a kill %d ms after', (afterMs) => {
  // That no part is two machines' is looked at all the time (invariants.ts).
  it('are all handed out, each to one machine, and given back with it', async () => {
    const run = new Run({ seed: afterMs, agents: HOSTS, faults: ROUGH, offers: OFFERS });
    const { factory } = run;
    await run.play(async () => {
      const { id } = await run.createBatch('cards', ALL, { vcpus: 2, hardware });
      await sleep(run.clock, afterMs);
      factory.killExecutors();
      const vms = await run.reach(id, { running: ALL });
      const held = factory.hosts.flatMap(({ machine }) => [...machine.hardware.grants.values()]);
      expect(held.flatMap(({ gpus }) => gpus)).toHaveLength(ALL);
      expect(held.flatMap(({ cpus }) => cpus)).toHaveLength(2 * ALL);

      const off = vms.slice(0, 4).map((vm) => vm.id);
      await run.wishAll(off, 'stop');
      await sleep(run.clock, afterMs);
      factory.killExecutors();
      await run.reach(id, { running: ALL - 4, stopped: 4 });
      factory.killScheduler();
      await sleep(run.clock, 3_000);
      await factory.startScheduler();
      await run.wishAll(off, 'start');
      await run.reach(id, { running: ALL });

      const next = await run.createBatch('next', 2, { vcpus: 2, hardware });
      await sleep(run.clock, 20_000);
      const waiting = (await factory.user.batch(next.id)).vmCounts;
      expect((waiting.pending ?? 0) + (waiting.scheduled ?? 0)).toBe(2);

      // Both at once: what waits gets none of the cards that the lost machines come back for.
      factory.killExecutors();
      factory.killScheduler();
      await sleep(run.clock, 3_000);
      await factory.startScheduler();
      await sleep(run.clock, 30_000);
      await run.reach(id, { running: ALL });

      await factory.user.deleteBatch(id);
      await sleep(run.clock, afterMs);
      factory.killExecutors();
      await waitFor(run.clock, 'deletion', 600_000, async () => {
        const { vmCounts } = await factory.user.batch(id);
        return vmCounts.deleted === ALL || undefined;
      });
      await run.reach(next.id, { running: 2 });
      await run.deleteBatch(next.id, 2);
    });
  });
});
