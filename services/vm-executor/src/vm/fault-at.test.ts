import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { killingAt } from './fault-at.ts';
import { runProcedure } from './procedure.ts';

const clock = new VirtualClock();
const { signal } = new AbortController();

function procedureOf(taken: string[]) {
  const step = (name: string) => ({
    name,
    waitsFor: 'a test',
    do: async () => void taken.push(name),
    undo: { none: 'nothing was done' },
  });
  return { name: 'create', steps: [step('record'), step('disk'), step('domain')] };
}

describe('FACTORY_FAULT_AT', () => {
  it.each([
    ['create/disk/before', ['record']],
    ['create/disk/after', ['record', 'disk']],
    ['delete/disk/after', ['record', 'disk', 'domain']],
    [undefined, ['record', 'disk', 'domain']],
  ])('%s ends the process there, and nothing comes after', async (point, expected) => {
    const taken: string[] = [];
    let kills = 0;
    const faults = killingAt(point, () => {
      kills += 1;
    });
    void runProcedure(procedureOf(taken), seededRandom(1), { signal, faults });
    await clock.run(1_000);
    expect(taken).toEqual(expected);
    expect(kills).toBe(expected.length === 3 ? 0 : 1);
  });
});
