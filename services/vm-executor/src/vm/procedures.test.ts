import type { VmTaskData } from '@factory/contracts';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { SimulatedHost } from '../hypervisor/simulated-host.ts';
import { createMemoryStorage } from '../storage/memory.ts';
import { TEST_VOLUME, testTask, testVmId } from '../testing.ts';
import { type FaultPoints, noFaults, type Procedure, runProcedure } from './procedure.ts';
import { CREATE, DELETE, POWER_ON, PROCEDURES, type VmSteps } from './procedures.ts';
import { newRecord } from './record.ts';
import { testSteps } from './testing.ts';

const vmId = testVmId(1);

class Crash extends Error {}

function setUp() {
  const clock = new VirtualClock();
  const images = [{ name: 'micro', virtualSizeBytes: 1, readyMarker: undefined }];
  const latency = { callMs: 0, powerOnMs: 0 };
  const host = new SimulatedHost({ clock, random: seededRandom(1), images, latency });
  const storage = createMemoryStorage(host);
  const record = newRecord(taskWithDisk(), clock.nowMs());
  const context = testSteps(host, { clock, storage, record });
  const run = async (procedure: Procedure<VmSteps>, faults: FaultPoints = noFaults) => {
    const { signal } = new AbortController();
    const work = runProcedure(procedure, context, { signal, faults });
    work.catch(() => undefined);
    await clock.run(10_000);
    return work;
  };
  return { host, context, clock, run };
}

/** With a disk on shared storage, a card and a core, which a crash must not leave held. */
function taskWithDisk(): VmTaskData {
  const task = testTask(1);
  const hardware = { gpus: 1, cpu: { pinned: true } };
  return { ...task, spec: { ...task.spec, volumes: [TEST_VOLUME], hardware } };
}

/** The faults of which one crashes. */
function crashAt(name: string, moment: 'before' | 'after'): FaultPoints {
  return {
    async at(_, step, when) {
      if (step === name && when === moment) throw new Crash();
    },
  };
}

const crashesOf = ({ steps }: Procedure<VmSteps>) =>
  steps.flatMap(({ name }) => [[name, 'before'] as const, [name, 'after'] as const]);

function expectMade(host: SimulatedHost): void {
  expect(host.runningVms()).toEqual([vmId]);
  expect(host.folders.get(vmId)).toMatchObject({ hasDisk: true, hasSeed: true });
  expect(host.leases.size).toBe(1);
  expect(host.sharedStorage.leases).toHaveLength(1);
  expect(host.hardware.grants.get(vmId)).toMatchObject({ gpus: ['0000:3b:00.0'], cpus: [8] });
  expect(host.network.cards()).toHaveLength(1);
}

function expectCleanSlate(host: SimulatedHost): void {
  expect(host.domains.size).toBe(0);
  expect(host.folders.size).toBe(0);
  expect(host.leases.size).toBe(0);
  expect(host.sharedStorage.leases).toEqual([]);
  expect(host.hardware.grants.size).toBe(0);
  expect([...host.network.cards(), ...host.network.subnetIds()]).toEqual([]);
}

describe('making a VM', () => {
  it('writes the record before anything else, and removes it last', () => {
    expect(CREATE.steps[0]?.name).toBe('record');
    expect(DELETE.steps.at(-1)?.name).toBe('record');
  });

  it.each(crashesOf(CREATE))(
    'crashed at %s (%s its work), it converges when run again',
    async (step, when) => {
      const { host, run } = setUp();
      await expect(run(CREATE, crashAt(step, when))).rejects.toBeInstanceOf(Crash);
      await run(CREATE);
      expectMade(host);
    },
  );

  it.each(crashesOf(CREATE))(
    'crashed at %s (%s its work), it can be undone',
    async (step, when) => {
      const { host, run } = setUp();
      await expect(run(CREATE, crashAt(step, when))).rejects.toBeInstanceOf(Crash);
      await run(DELETE);
      expectCleanSlate(host);
      await run(DELETE);
      expectCleanSlate(host);
    },
  );

  it('changes nothing when every step is taken twice', async () => {
    const { host, run } = setUp();
    await run({ name: 'twice', steps: CREATE.steps.flatMap((step) => [step, step]) });
    expectMade(host);
    expect(host.domains.get(vmId)?.life).toBe(1);
  });
});

describe('unmaking a VM', () => {
  it.each(crashesOf(DELETE))(
    'cut off %s (%s its work), it converges when run again',
    async (step, when) => {
      const { host, run } = setUp();
      await run(CREATE);
      await expect(run(DELETE, crashAt(step, when))).rejects.toBeInstanceOf(Crash);
      await run(DELETE);
      expectCleanSlate(host);
    },
  );
});

describe('powering on again', () => {
  it('gives a VM whose domain and network are gone both back', async () => {
    const { host, run } = setUp();
    await run(CREATE);
    host.restart();
    host.domains.clear();
    await run(POWER_ON);
    expectMade(host);
  });
});

describe('every procedure', () => {
  it.each(PROCEDURES.map((each) => [each.name, each] as const))(
    '%s names its steps once, and says what is waited for and why there is nothing to undo',
    (_, { steps }) => {
      expect(new Set(steps.map(({ name }) => name)).size).toBe(steps.length);
      for (const { waitsFor, undo } of steps) {
        expect(waitsFor.length).toBeGreaterThan(5);
        if (typeof undo !== 'function') expect(undo.none.length).toBeGreaterThan(10);
      }
    },
  );

  it('begins no step after its signal has aborted, and ends only with the step under way', async () => {
    const { context, clock } = setUp();
    const controller = new AbortController();
    const { signal } = controller;
    const hang = Promise.withResolvers<void>();
    const taken: string[] = [];
    const step = (name: string, work: () => Promise<void>) => ({
      name,
      waitsFor: 'a test',
      do: () => {
        taken.push(name);
        return work();
      },
      undo: { none: 'nothing was done' },
    });
    const steps = [step('hangs', () => hang.promise), step('next', async () => undefined)];
    let end: unknown;
    runProcedure({ name: 'test', steps }, context, { signal, faults: noFaults }).catch(
      (error: unknown) => {
        end = error;
      },
    );
    await clock.run(10);
    controller.abort(new Crash());
    await clock.run(10);
    expect(end).toBeUndefined();
    hang.resolve();
    await clock.run(10);
    expect(end).toBeInstanceOf(Crash);
    expect(taken).toEqual(['hangs']);
  });
});
