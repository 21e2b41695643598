import type { Vm } from '@factory/contracts';
import { sleep, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { describeRun, ROUGH, Run, runLifecycle } from './scenario.ts';

const SMALL = { agents: 5, vms: 40, faults: ROUGH };

describe('a factory on a bad network', () => {
  it.each([1, 2])('brings every machine where it is wished (seed %i)', async (seed) => {
    const figures = await runLifecycle({ seed, ...SMALL });
    const { droppedRequests, droppedResponses, duplicates } = figures.network;
    expect(Math.min(droppedRequests, droppedResponses, duplicates)).toBeGreaterThan(0);
    expect(figures.endStates).toEqual({ running: 40, deleted: 40 });
  });

  it('has one history for one seed', async () => {
    const first = await runLifecycle({ seed: 3, ...SMALL });
    const second = await runLifecycle({ seed: 3, ...SMALL });
    const other = await runLifecycle({ seed: 4, ...SMALL });
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.network).toEqual(first.network);
    expect(other.traceHash).not.toBe(first.traceHash);
  });

  it('has 50 agents run 1,000 machines, and nothing is counted twice', async () => {
    const figures = await runLifecycle({ seed: 5, agents: 50, vms: 1_000, faults: ROUGH });
    process.stdout.write(`${describeRun(5, figures)}\n`);
    expect(figures.endStates).toEqual({ running: 1_000, deleted: 1_000 });
  }, 180_000);
});

/** A small batch, and what may be killed while it lives. */
const FEW = 20;
/** The kill hits before, while and after the machines are launched. */
const KILLS = [
  { seed: 1, afterMs: 10 },
  { seed: 3, afterMs: 10 },
  { seed: 1, afterMs: 120 },
  { seed: 2, afterMs: 700 },
  { seed: 3, afterMs: 2_500 },
];

describe.each(KILLS)('parts that are killed $afterMs ms after a request (seed $seed)', (kill) => {
  it('executors: their guests run on and are kept again', async () => {
    const run = newRun(kill.seed);
    await run.play(async () => {
      const { id } = await run.createBatch('kept', FEW);
      await sleep(run.clock, kill.afterMs);
      run.factory.killExecutors();
      const vms = await run.reach(id, { running: FEW });
      expect(bootsOf(run, vms)).toEqual(Array(FEW).fill(1));

      const killed = run.factory.executorCount();
      run.factory.killExecutors();
      expect(run.factory.executorCount()).toBe(0);
      await waitFor(run.clock, 'new executors', 120_000, () =>
        run.factory.executorCount() === killed ? true : undefined,
      );
      await run.reach(id, { running: FEW });
      const some = vms.slice(0, 4).map((vm) => vm.id);
      await run.wishAll(some, 'stop');
      run.factory.killExecutors();
      const after = await run.reach(id, { running: FEW - 4, stopped: 4 });
      expect(bootsOf(run, after)).toEqual(Array(FEW).fill(1));
      await run.deleteBatch(id, FEW);
    });
  });

  it('the vm-scheduler: no machine is lost or made twice', async () => {
    const run = newRun(kill.seed);
    await run.play(async () => {
      const { id } = await run.createBatch('made', FEW);
      await sleep(run.clock, kill.afterMs);
      run.factory.killScheduler();
      await sleep(run.clock, 3_000);
      await run.factory.startScheduler();
      const vms = await run.reach(id, { running: FEW });
      expect(bootsOf(run, vms)).toEqual(Array(FEW).fill(1));
      await run.deleteBatch(id, FEW);
    });
  });

  it('the cluster-server: no command and no report is lost', async () => {
    const run = newRun(kill.seed);
    await run.play(async () => {
      const { id } = await run.createBatch('made', FEW);
      await sleep(run.clock, kill.afterMs);
      run.factory.killClusterServer();
      await sleep(run.clock, 3_000);
      await run.factory.startClusterServer();
      const vms = await run.reach(id, { running: FEW });
      expect(bootsOf(run, vms)).toEqual(Array(FEW).fill(1));
      await run.deleteBatch(id, FEW);
    });
  });
});

/** Three hosts with 22 machines' room each: after a lost launch the host is needed again. */
function newRun(seed: number): Run {
  return new Run({ seed, agents: 3, faults: ROUGH });
}

/** How often each machine's guest was powered on, on whatever host. */
function bootsOf({ factory }: Run, vms: readonly Vm[]): readonly number[] {
  return vms.map(({ id }) => factory.hosts.reduce((sum, host) => sum + host.bootsOf(id), 0));
}
