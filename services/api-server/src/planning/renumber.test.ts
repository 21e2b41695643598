import type { ClusterId, LinkCommand } from '@factory/contracts';
import { createIdGenerator, systemClock, systemRandom } from '@factory/runtime';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { aSnapshot, machines } from '../testing/snapshots.ts';
import { decidePlan } from './plan.ts';
import { renumbered } from './renumber.ts';

const newId = createIdGenerator(systemClock, systemRandom);
const CLUSTER = 'clu_a' as ClusterId;

function idsIn(command: LinkCommand | undefined): readonly string[] {
  return command?.kind === 'assignVms' ? command.vms.map((vm) => vm.vmId) : [];
}

it('numbers commands late, with the machines that they give', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: -10, max: 50 }),
      (count, shift) => {
        const outcome = decidePlan(aSnapshot(machines(count)), newId);
        const late = renumbered(outcome, new Map([[CLUSTER, shift]]));
        expect(late.commands.map((each) => each.seq)).toEqual(
          outcome.commands.map((each) => each.seq + shift),
        );
        for (const vm of late.newVms) {
          const own = late.commands.find(({ seq }) => seq === vm.assignedSeq);
          expect(idsIn(own?.command)).toContain(vm.id);
        }
      },
    ),
  );
});
