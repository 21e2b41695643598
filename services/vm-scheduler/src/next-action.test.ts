import { DESIRED_STATES } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextAction } from './next-action.ts';
import { launchedRecord, sampleObservation } from './testing/samples.ts';
import { applyObservation, type VmPhase, type VmRecord } from './vm-record.ts';

const PHASES = ['waiting', 'launching', 'hosted', 'lost', 'failed', 'deleted'] as const;

/** A record of any kind that can come about. */
const records = fc
  .record({
    phase: fc.constantFrom(...PHASES),
    desired: fc.constantFrom(...DESIRED_STATES),
    generation: fc.integer({ min: 1, max: 3 }),
    isBound: fc.boolean(),
    failedLaunches: fc.integer({ min: 0, max: 2_000 }),
  })
  .map(({ phase, desired, generation, isBound, failedLaunches }): VmRecord => {
    const base = applyObservation(launchedRecord(), sampleObservation(), 20);
    const hasTask = (['launching', 'hosted', 'lost'] satisfies VmPhase[]).some((p) => p === phase);
    return {
      ...base,
      phase,
      failedLaunches,
      task: hasTask ? base.task : null,
      boundAgentId: hasTask || isBound ? 'agent-1' : null,
      assignment: { ...base.assignment, desired, generation },
    };
  });

describe('the next action', () => {
  it('kills only what is wished deleted, and launches only what has no task', () => {
    fc.assert(
      fc.property(records, (record) => {
        const action = nextAction(record);
        const isUnwanted = record.assignment.desired === 'deleted';
        if (action.type === 'kill') expect(isUnwanted && record.task !== null).toBe(true);
        if (action.type === 'launch') {
          expect(record.task).toBeNull();
          const delayMs = action.notBeforeMs - record.phaseSinceMs;
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(60_000);
        }
        if (action.type === 'markDeleted') {
          expect(isUnwanted && record.task === null && record.boundAgentId === null).toBe(true);
        }
        if (action.type === 'tellDesired' && !isUnwanted)
          expect(record.assignment.generation).toBeGreaterThan(1);
      }),
    );
  });

  it('leaves nothing that is to be deleted without an action', () => {
    fc.assert(
      fc.property(records, (record) => {
        fc.pre(record.assignment.desired === 'deleted' && record.phase !== 'deleted');
        expect(nextAction(record).type).not.toBe('none');
      }),
    );
  });
});
