import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, type FaultKind, faulty } from './faulty-ports.ts';
import { createSimulatedHypervisor } from './hypervisor/simulated.ts';
import { SimulatedHost } from './hypervisor/simulated-host.ts';
import { createSimulatedNetwork } from './network/simulated.ts';
import { createMemoryStorage } from './storage/memory.ts';
import { testVmId } from './testing.ts';

const clock = new VirtualClock();

function ports(): readonly (readonly [string, object])[] {
  const host = new SimulatedHost({ clock, random: seededRandom(1), images: [] });
  return [
    ['hypervisor', createSimulatedHypervisor(host)],
    ['storage', createMemoryStorage(host)],
    ['network', createSimulatedNetwork('test')],
  ];
}

const METHODS = ports().flatMap(([name, port]) =>
  Object.entries(port).flatMap(([member, value]) =>
    typeof value === 'function' ? `${name}.${member}` : [],
  ),
);

/** A port with one method that counts, behind faults that are forced to be of this kind. */
function counting(kind: FaultKind) {
  let done = 0;
  const port = {
    work: async (_signal?: AbortSignal): Promise<void> => {
      done += 1;
    },
  };
  const draws = [0, (FAULT_KINDS.indexOf(kind) + 0.5) / FAULT_KINDS.length];
  const random = { ...seededRandom(1), next: () => draws.shift() ?? 0 };
  const broken = faulty(port, { clock, random, rate: () => 1, reasons: ['IO_ERROR'] });
  return { broken, done: () => done };
}

describe('ports that fail', () => {
  it.each(METHODS)('fail in every method: %s', async (what) => {
    const [name, method = ''] = what.split('.');
    const port = ports().find(([each]) => each === name)?.[1] ?? {};
    const seen: string[] = [];
    const broken = faulty(port, {
      clock,
      random: seededRandom(1),
      rate: () => 1,
      reasons: ['IO_ERROR'],
      onFault: (each) => seen.push(each),
    });
    const signal = AbortSignal.abort(new Error('given up'));
    const call = async (): Promise<unknown> => {
      const member: unknown = Reflect.get(broken, method);
      return typeof member === 'function' ? member(testVmId(1), signal) : member;
    };
    const outcome = call().then(
      () => 'nothing',
      (error: unknown) => (error instanceof Error ? 'failed' : 'what'),
    );
    await clock.run(120_000);
    expect(await outcome).toBe('failed');
    expect(seen).toEqual([method]);
  });

  it('fail before or after they have done their work', async () => {
    const [before, after] = [counting('failsBefore'), counting('failsAfter')];
    await expect(before.broken.work()).rejects.toThrow('work failed');
    await expect(after.broken.work()).rejects.toThrow('work failed');
    expect([before.done(), after.done()]).toEqual([0, 1]);
  });

  it.each([
    ['hangsBefore', 0],
    ['hangsAfter', 1],
  ] as const)('hang until they are given up (%s)', async (kind, expected) => {
    const { broken, done } = counting(kind);
    const giveUp = new AbortController();
    let isOver = false;
    const work = broken.work(giveUp.signal).finally(() => {
      isOver = true;
    });
    work.catch(() => undefined);
    await clock.run(3_600_000);
    expect(isOver).toBe(false);
    giveUp.abort(new Error('given up'));
    await expect(work).rejects.toThrow('given up');
    expect(done()).toBe(expected);
  });

  it('do as they are told when nothing fails', async () => {
    let done = 0;
    const port = { work: async () => (done += 1) };
    const random = seededRandom(1);
    const sound = faulty(port, { clock, random, rate: () => 0, reasons: ['IO_ERROR'] });
    expect(await sound.work()).toBe(1);
  });
});
