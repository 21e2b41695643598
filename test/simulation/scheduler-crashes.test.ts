import { SCHEDULER_STEPS, type SchedulerFaults, type SchedulerStep } from '@factory/vm-scheduler';
import { describe, expect, it } from 'vitest';
import { dieAt, liveAndDie, POINTS } from './scheduler-crashes.ts';

const AROUND_A_LAUNCH: readonly SchedulerStep[] = [
  'store launch',
  'accept',
  'store status',
  'acknowledge',
  'tell setDesired',
  'tell release',
];

describe('a scheduler that dies', () => {
  it('is tried at every step that it takes', async () => {
    const seen = new Set<SchedulerStep>();
    const note: SchedulerFaults = { at: async (step) => void seen.add(step) };
    await liveAndDie('store forgetting', note, () => undefined);
    expect([...seen].sort()).toEqual([...SCHEDULER_STEPS].sort());
  }, 120_000);

  // All points, once and twice, has the long acceptance: here are those around a launch and its end.
  it.each(POINTS.filter(([step, when]) => when === 'before' && AROUND_A_LAUNCH.includes(step)))(
    "at '%s', %s it, and its successor there as well, leaves work that the next one ends",
    async (...point) => {
      expect(await dieAt(point, 2)).toBeGreaterThan(0);
    },
    120_000,
  );
});
