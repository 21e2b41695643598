import { createLimiter } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { createSimulatedHypervisor } from '../hypervisor/simulated.ts';
import { SimulatedHost } from '../hypervisor/simulated-host.ts';
import { createMemoryStorage } from '../storage/memory.ts';
import { testTask, testVmId } from '../testing.ts';
import { type Change, observe } from './observe.ts';
import { newRecord } from './record.ts';
import { powerOnSteps, runSteps, SAGA, type SagaContext, type SagaStep, undoAll } from './saga.ts';

const vmId = testVmId(1);

class Crash extends Error {}

function setUp() {
  const clock = new VirtualClock();
  const images = [{ name: 'micro', virtualSizeBytes: 1, readyMarker: undefined }];
  const latency = { callMs: 0, powerOnMs: 0 };
  const host = new SimulatedHost({ clock, random: seededRandom(1), images, latency });
  let record = newRecord(testTask(1), clock.nowMs());
  const context: SagaContext = {
    storage: createMemoryStorage(host),
    hypervisor: createSimulatedHypervisor(host),
    limitPowerOn: createLimiter(1),
    record: () => record,
    observe: (change: Change) => {
      record = observe(record, change, clock.nowMs());
    },
  };
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined);
    await clock.run(10_000);
    return work;
  };
  return { host, context, settle };
}

/** The steps, of which the one at `index` crashes before or after its work. */
function crashing(index: number, when: 'before' | 'after'): readonly SagaStep[] {
  return SAGA.map((step, position) => ({
    ...step,
    do: async (context: SagaContext) => {
      if (position === index && when === 'before') throw new Crash();
      await step.do(context);
      if (position === index && when === 'after') throw new Crash();
    },
  }));
}

const crashes = SAGA.flatMap((step, index) => [
  [step.name, 'before', index] as const,
  [step.name, 'after', index] as const,
]);

function expectMade(host: SimulatedHost): void {
  expect(host.runningVms()).toEqual([vmId]);
  expect(host.folders.get(vmId)).toMatchObject({ hasDisk: true, hasSeed: true });
  expect(host.leases.size).toBe(1);
  expect([...host.networks.values()].map((network) => network.size)).toEqual([1]);
}

function expectCleanSlate(host: SimulatedHost): void {
  expect(host.domains.size).toBe(0);
  expect(host.folders.size).toBe(0);
  expect(host.leases.size).toBe(0);
  expect([...host.networks.values()].every((network) => network.size === 0)).toBe(true);
}

describe('making a VM', () => {
  it('writes the record before anything else, and removes it last', () => {
    expect(SAGA[0]?.name).toBe('record');
  });

  it.each(crashes)(
    'crashed at %s (%s its work), it converges when run again',
    async (_, when, at) => {
      const { host, context, settle } = setUp();
      await expect(settle(runSteps(crashing(at, when), context))).rejects.toBeInstanceOf(Crash);
      await settle(runSteps(SAGA, context));
      expectMade(host);
    },
  );

  it.each(crashes)('crashed at %s (%s its work), it can be undone', async (_, when, at) => {
    const { host, context, settle } = setUp();
    await expect(settle(runSteps(crashing(at, when), context))).rejects.toBeInstanceOf(Crash);
    await settle(undoAll(context));
    expectCleanSlate(host);
    await settle(undoAll(context));
    expectCleanSlate(host);
  });

  it('changes nothing when every step is taken twice', async () => {
    const { host, context, settle } = setUp();
    await settle(runSteps([...SAGA, ...SAGA], context));
    expectMade(host);
    expect(host.domains.get(vmId)?.life).toBe(1);
  });
});

describe('unmaking a VM', () => {
  const undos = SAGA.flatMap(({ name, undo }) =>
    typeof undo === 'function' ? [{ name, undo }] : [],
  );

  it.each(undos.map(({ name }, index) => [name, index] as const))(
    'cut off after undoing %s, it converges when run again',
    async (_, index) => {
      const { host, context, settle } = setUp();
      await settle(runSteps(SAGA, context));
      const begun = undos.toReversed().slice(0, undos.length - index);
      for (const { undo } of begun) await settle(undo(context));
      await settle(undoAll(context));
      expectCleanSlate(host);
    },
  );

  it('says of each step without an undo why it has none', () => {
    const reasons = SAGA.flatMap(({ undo }) => (typeof undo === 'function' ? [] : [undo.none]));
    expect(reasons.every((reason) => reason.length > 10)).toBe(true);
  });
});

describe('powering on again', () => {
  it('gives a VM whose domain and network are gone both back', async () => {
    const { host, context, settle } = setUp();
    await settle(runSteps(SAGA, context));
    host.restart();
    host.domains.clear();
    await settle(runSteps(powerOnSteps(), context));
    expectMade(host);
  });
});
