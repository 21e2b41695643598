import type { Vm } from '@factory/contracts';
import { sleep } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { ROUGH, Run } from './scenario.ts';

const FEW = 12;
/** By then the cluster has a session again: each answer lost on the way to it costs up to 25 s. */
const FOUND_MS = 120_000;

/** How often each machine's guest was powered on, on whatever host. */
function bootsOf({ factory }: Run, vms: readonly Vm[]): readonly number[] {
  return vms.map(({ id }) => factory.hosts.reduce((sum, host) => sum + host.bootsOf(id), 0));
}

/** Every second it is checked that no machine, address or MAC is there twice. */
describe.each([1, 2, 5])('a cluster that lost its database (seed %i)', (seed) => {
  const newRun = () => new Run({ seed, agents: 3, faults: ROUGH });

  it('finds all its machines where they run, and makes none a second time', async () => {
    const run = newRun();
    await run.play(async () => {
      const { id } = await run.createBatch('kept', FEW);
      const before = await run.reach(id, { running: FEW });
      await run.factory.loseClusterDatabase();
      await sleep(run.clock, FOUND_MS);
      const after = await run.reach(id, { running: FEW });
      expect(bootsOf(run, after)).toEqual(Array(FEW).fill(1));
      expect(after.map((vm) => vm.hostName)).toEqual(before.map((vm) => vm.hostName));
      await run.deleteBatch(id, FEW);
    });
  });

  it('finds those whose executors died with it on their hosts', async () => {
    const run = newRun();
    await run.play(async () => {
      const { id } = await run.createBatch('kept', FEW);
      await run.reach(id, { running: FEW });
      run.factory.killScheduler();
      run.factory.killExecutors();
      await sleep(run.clock, 2_000);
      await run.factory.loseClusterDatabase();
      await sleep(run.clock, FOUND_MS);
      const after = await run.reach(id, { running: FEW });
      expect(bootsOf(run, after)).toEqual(Array(FEW).fill(1));
      await run.deleteBatch(id, FEW);
    });
  });

  it('finds those that it was just making', async () => {
    const run = newRun();
    await run.play(async () => {
      const { id } = await run.createBatch('young', FEW);
      await sleep(run.clock, 400);
      await run.factory.loseClusterDatabase();
      const after = await run.reach(id, { running: FEW });
      expect(bootsOf(run, after)).toEqual(Array(FEW).fill(1));
      await run.deleteBatch(id, FEW);
    });
  });
});
