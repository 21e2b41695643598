import { DESIRED_STATES, isTransitionAllowed, VM_STATES, type VmState } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OFF_CAUSES, type Power } from '../hypervisor/port.ts';
import { testOperationId, testTask, testVmId } from '../testing.ts';
import { type Decision, decide, type Situation } from './decide.ts';
import { newRecord, type VmRecord } from './record.ts';

/** States in which a record can be found, once the VM was made. */
const MADE_STATES = [
  'starting',
  'running',
  'stopping',
  'stopped',
  'rebooting',
  'failed',
] as const satisfies readonly VmState[];

const power: fc.Arbitrary<Power> = fc.oneof(
  fc.constant({ kind: 'on' } as const),
  fc.constantFrom(...OFF_CAUSES).map((cause) => ({ kind: 'off', cause }) as const),
);

const record: fc.Arbitrary<VmRecord> = fc
  .record({
    isMade: fc.boolean(),
    desired: fc.constantFrom(...DESIRED_STATES),
    generation: fc.integer({ min: 1, max: 3 }),
    lag: fc.integer({ min: 0, max: 1 }),
    state: fc.constantFrom(...MADE_STATES),
    phase: fc.constantFrom('off' as const, 'on' as const, undefined),
    hasMakingFailed: fc.boolean(),
  })
  .map((given) => ({
    ...newRecord(testTask(1), 1000),
    isMade: given.isMade,
    desired: given.desired,
    generation: given.generation,
    appliedGeneration: given.isMade ? given.generation - given.lag : 0,
    state: given.isMade ? given.state : 'preparing',
    reboot:
      given.isMade && given.phase !== undefined && given.desired === 'running'
        ? { operationId: testOperationId(1), phase: given.phase }
        : null,
    makingFailure:
      !given.isMade && given.hasMakingFailed
        ? { reason: 'DISK_FULL' as const, message: 'full' }
        : null,
  }));

const situation: fc.Arbitrary<Situation> = fc.record({
  record,
  domain: fc.option(
    power.map((each) => ({ vmId: testVmId(1), power: each, detail: 'seen' })),
    { nil: undefined },
  ),
  hasDisk: fc.boolean(),
  isFirstLook: fc.boolean(),
});

/** The states that a decision leads the VM into. */
function statesOf(decision: Decision, from: VmState): readonly VmState[] {
  switch (decision.move) {
    case 'rest':
      return [decision.change.state ?? from];
    case 'make':
      return ['preparing'];
    case 'unmake':
      return decision.end === 'deleted' ? ['deleting'] : ['failed'];
    case 'powerOn':
      return ['starting', 'rebooting'];
    case 'powerOff':
      return ['stopping', 'rebooting'];
    case 'finishReboot':
      return ['running'];
  }
}

describe('decide', () => {
  it('never leads into a state that may not follow', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const decision = decide(given);
        const { state, reboot } = given.record;
        const to = statesOf(decision, state);
        const expected = to.length > 1 && reboot === null ? to.slice(0, 1) : to.slice(-1);
        // A restart that waits for its power-on stays in its state.
        const [next = state] = decision.move === 'powerOn' && reboot !== null ? [state] : expected;
        if (decision.move === 'powerOff' && reboot !== null && state !== 'running') return;
        expect(isTransitionAllowed(state, next), `${state} to ${next}`).toBe(true);
      }),
    );
  });

  it('never touches a running guest that is wished running', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { desired, reboot, makingFailure, state } = given.record;
        fc.pre(desired === 'running' && reboot === null && makingFailure === null);
        fc.pre(state !== 'stopping' && given.domain?.power.kind === 'on');
        expect(decide(given)).toMatchObject({ move: 'rest', change: { state: 'running' } });
      }),
    );
  });

  it('never powers on a machine whose wish was carried out before and that is off for a cause', () => {
    fc.assert(
      fc.property(situation, fc.constantFrom('running', 'stopped', 'failed'), (given, state) => {
        const done = {
          ...given.record,
          isMade: true,
          makingFailure: null,
          state: state as VmState,
          appliedGeneration: given.record.generation,
          reboot: null,
        };
        const cause = 'guestShutdown' as const;
        const domain = {
          vmId: done.vmId,
          power: { kind: 'off', cause } as const,
          detail: '',
        };
        expect(decide({ ...given, record: done, domain }).move).not.toBe('powerOn');
      }),
    );
  });

  it('never makes a disk for a machine that had one', () => {
    fc.assert(
      fc.property(situation, (given) => {
        fc.pre(given.record.isMade);
        expect(decide(given).move).not.toBe('make');
        if (!given.hasDisk) expect(decide(given).move).not.toBe('powerOn');
      }),
    );
  });

  it('always removes what is to be deleted', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const doomed = { ...given.record, desired: 'deleted' as const };
        const decision = decide({ ...given, record: doomed });
        expect(decision).toEqual({ move: 'unmake', end: 'deleted' });
      }),
    );
  });

  it('has found a place for every state of the table that an executor reports', () => {
    expect(VM_STATES).toEqual(expect.arrayContaining([...MADE_STATES]));
  });
});
