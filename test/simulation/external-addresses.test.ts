import type { Vm } from '@factory/contracts';
import { sleep, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { ROUGH, Run } from './scenario.ts';

const HOSTS = 3;
/** Four of each host. */
const OFFERS = { resources: '', attributes: 'external_addresses:192.0.2.16/30' };
const COUNT = HOSTS * 4;

describe.each([200, 2_000])('machines with external addresses, a kill %d ms after', (afterMs) => {
  it('are placed where there are some, keep theirs, and give them back', async () => {
    const run = new Run({ seed: afterMs, agents: HOSTS, faults: ROUGH, offers: OFFERS });
    await run.play(async () => {
      const { user } = run.factory;
      await user.createSubnet('front', '10.30.0.0/24');
      const more = { network: { subnet: 'front' }, externalAddress: true };
      const { id } = await run.createBatch('shown', COUNT, more);
      await sleep(run.clock, afterMs);
      run.factory.killExecutors();
      await run.reach(id, { running: COUNT });
      const before = await addressed(run, id);
      expect(new Set(before.values()).size).toBe(COUNT);

      // One more than there are addresses waits, though there is room.
      const late = await run.createBatch('late', 1, more);
      await sleep(run.clock, 60_000);
      const [waiting] = await user.vms({ batchId: late.id });
      expect(waiting).toMatchObject({ state: 'scheduled', reason: 'NO_CAPACITY' });
      expect(waiting?.message).toContain('lack external_addresses');

      run.factory.killScheduler();
      run.factory.killExecutors();
      await sleep(run.clock, 3_000);
      await run.factory.startScheduler();
      await run.reach(id, { running: COUNT });
      expect(await addressed(run, id)).toEqual(before);

      // Until somebody else has no use for his.
      const [first] = await user.vms({ batchId: id });
      if (first === undefined) throw new Error('no machines');
      await user.changeVm(first.id, { externalAddress: false });
      const heir = async () =>
        (await user.vms({ batchId: late.id })).find(({ state }) => state === 'running');
      const { hostName } = await waitFor(run.clock, 'the heir', 300_000, heir, 500);
      expect(hostName).toBe(first.hostName);
      await user.deleteBatch(late.id);
      const isGone = async () =>
        (await user.vms({ batchId: late.id })).length === 0 ? true : undefined;
      await waitFor(run.clock, 'its end', 300_000, isGone, 500);
      await run.deleteBatch(id, COUNT);
      const left = run.factory.hosts.flatMap(({ machine }) => machine.network.externals());
      expect(left).toEqual([]);
    });
  });
});

/** Host and address of each machine, once all tell of theirs; they are those that hosts have. */
async function addressed(
  { clock, factory }: Run,
  batchId: Vm['batchId'],
): Promise<ReadonlyMap<string, string>> {
  const all = async () => {
    const vms = await factory.user.vms({ batchId });
    return vms.every(({ externalAddress }) => typeof externalAddress === 'string')
      ? vms
      : undefined;
  };
  const vms = await waitFor(clock, 'all to have their addresses', 300_000, all, 500);
  const told = vms.map(({ hostName, externalAddress }) => `${hostName} ${externalAddress}`);
  const had = factory.hosts.flatMap(({ hostName, machine }) =>
    machine.network.externals().map((address) => `${hostName} ${address}`),
  );
  expect(had.sort()).toEqual(told.toSorted());
  return new Map(vms.map((vm, index) => [vm.id, told[index] ?? '']));
}
