import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachineID } from '../../protocol/index.ts';
import type { RegisteredMaintenance } from '../registry.ts';
import {
  type Change,
  drainingMachines,
  isMachineDown,
  machineKey,
  unavailabilities,
  withSchedule,
  withStarted,
  withStopped,
} from './machines.ts';

const unavailability = { start: { nanoseconds: 1 } };
const machine = fc.constantFrom<MachineID>(
  ...['a', 'A', 'b', 'c'].map((hostname) => ({ hostname, ip: '10.0.0.1' })),
);
const machines = fc.array(machine, { maxLength: 3 });

type Step = (plan: RegisteredMaintenance | undefined) => Change;
const step: fc.Arbitrary<Step> = fc.oneof(
  machines.map((machine_ids): Step => {
    const windows = machine_ids.length === 0 ? [] : [{ machine_ids, unavailability }];
    return (plan) => withSchedule(plan, { windows });
  }),
  machines.map(
    (ids): Step =>
      (plan) =>
        withStarted(plan, ids),
  ),
  machines.map(
    (ids): Step =>
      (plan) =>
        withStopped(plan, ids),
  ),
);

describe('machines', () => {
  it('are down only while they are scheduled, and draining or down but never both', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let plan: RegisteredMaintenance | undefined;
        for (const take of steps) {
          const change = take(plan);
          if (change.problem === undefined) plan = change.plan;
          const planned = unavailabilities(plan);
          const down = plan?.down ?? [];
          expect(down.every((id) => planned.has(machineKey(id)))).toBe(true);
          expect(new Set(down.map(machineKey)).size).toBe(down.length);
          const draining = drainingMachines(plan);
          expect(draining.some((id) => isMachineDown(plan, id))).toBe(false);
          expect(draining.length + down.length).toBe(planned.size);
        }
      }),
    );
  });

  it('that were scheduled, taken down and brought up leave no trace', () => {
    const ids = [{ hostname: 'a', ip: '10.0.0.1' }];
    const scheduled = withSchedule(undefined, { windows: [{ machine_ids: ids, unavailability }] });
    const down = scheduled.problem === undefined ? withStarted(scheduled.plan, ids) : scheduled;
    const up = down.problem === undefined ? withStopped(down.plan, ids) : down;
    expect(up).toEqual({ plan: { windows: [], down: [] } });
  });
});
