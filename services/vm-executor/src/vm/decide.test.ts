import { DESIRED_STATES, isTransitionAllowed, type VmSpec, type VmState } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OFF_CAUSES, type Power } from '../hypervisor/port.ts';
import { TEST_VOLUME, testOperationId, testTask, testVmId } from '../testing.ts';
import { type Decision, decide, type Situation } from './decide.ts';
import { newRecord, type VmRecord } from './record.ts';
import { nextChange } from './spec-change.ts';

/** States in which a record can be found, once the VM was made. */
const MADE_STATES = [
  'starting',
  'running',
  'stopping',
  'stopped',
  'rebooting',
  'suspending',
  'suspended',
  'resuming',
  'resizing',
  'rebuilding',
  'failed',
] as const satisfies readonly VmState[];

const { spec } = testTask(1);
/** Each differs from the spec in a part that has a move of its own. */
const WISHED_SPECS: readonly VmSpec[] = [
  { ...spec, image: { name: 'debian-12', generation: 2 } },
  { ...spec, vcpus: 2, diskGiB: 2 },
  { ...spec, userData: '#!/bin/sh' },
  { ...spec, volumes: [TEST_VOLUME] },
  { ...spec, network: { ...spec.network, egress: 'nat' } },
];

const power: fc.Arbitrary<Power> = fc.oneof(
  fc.constant({ kind: 'on' } as const),
  fc.constant({ kind: 'on', hasDiskError: true } as const),
  fc.constant({ kind: 'on', isPaused: true } as const),
  fc.constantFrom(...OFF_CAUSES).map((cause) => ({ kind: 'off', cause, isSaved: true }) as const),
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
    wishedSpec: fc.constantFrom(null, ...WISHED_SPECS),
    hasNewDisk: fc.boolean(),
    plugging: fc.array(fc.constant(TEST_VOLUME), { maxLength: 1 }),
  })
  .map((given) => ({
    ...newRecord(testTask(1), 1000),
    isMade: given.isMade,
    desired: given.desired,
    wishedSpec: given.wishedSpec,
    hasNewDisk: given.hasNewDisk,
    plugging: given.plugging,
    generation: given.generation,
    appliedGeneration: given.isMade ? given.generation - given.lag : 0,
    ...stateOf(given),
    makingFailure:
      !given.isMade && given.hasMakingFailed
        ? { reason: 'DISK_FULL' as const, message: 'full' }
        : null,
  }));

/** A restart goes on only in a machine that runs, or is in the middle of it. */
function stateOf(given: {
  readonly isMade: boolean;
  readonly state: (typeof MADE_STATES)[number];
  readonly phase: 'off' | 'on' | undefined;
}): Pick<VmRecord, 'state' | 'reboot'> {
  if (!given.isMade) return { state: 'preparing', reboot: null };
  const { state, phase } = given;
  const canReboot = state === 'running' || state === 'rebooting';
  if (phase === undefined || !canReboot) return { state, reboot: null };
  return { state, reboot: { operationId: testOperationId(1), phase } };
}

const situation: fc.Arbitrary<Situation> = fc.record({
  record,
  domain: fc.option(
    power.map((each) => ({ vmId: testVmId(1), power: each, detail: 'seen' })),
    { nil: undefined },
  ),
  hasDisk: fc.boolean(),
  isReleased: fc.boolean(),
  isLetGo: fc.boolean(),
  isFirstLook: fc.boolean(),
});

/** The states that a decision leads the VM through. */
function statesAfter(decision: Decision, { state, reboot }: VmRecord): readonly VmState[] {
  switch (decision.move) {
    case 'rest':
    case 'refuseSpec':
    case 'release':
      return [decision.change.state ?? state];
    case 'make':
      return ['preparing'];
    case 'unmake':
      return [decision.end === 'deleted' ? 'deleting' : 'failed'];
    case 'powerOn':
      // A restart stays what it is until the guest runs again.
      return [reboot === null ? 'starting' : state];
    case 'powerOff':
      return byRunning(state, reboot === null ? 'stopping' : 'rebooting');
    case 'rebuild':
      return byRunning(state, 'rebuilding');
    case 'resize':
      return byRunning(state, 'resizing');
    case 'suspend':
      return byRunning(state, 'suspending');
    case 'resume':
      return byRunning(state, 'resuming');
    case 'forgetMemory':
      return byRunning(state, 'stopping');
    case 'finishReboot':
    case 'unpause':
      return ['running'];
    case 'retryDisk':
      return ['failed'];
    case 'abandonReboot':
    case 'setNetworks':
    case 'takeSpec':
    case 'dropNewDisk':
    case 'hotPlug':
    case 'keepPlugged':
    case 'stay':
      return [state];
  }
}

/** What was told otherwise than it is found is running before it goes on. */
function byRunning(from: VmState, to: VmState): readonly VmState[] {
  return isTransitionAllowed(from, to) ? [to] : ['running', to];
}

describe('decide', () => {
  it('never leads into a state that may not follow', () => {
    fc.assert(
      fc.property(situation, (given) => {
        let { state } = given.record;
        for (const next of statesAfter(decide(given), given.record)) {
          expect(isTransitionAllowed(state, next), `${state} to ${next}`).toBe(true);
          state = next;
        }
      }),
    );
  });

  it('never touches a running guest that is wished running', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { desired, reboot, makingFailure, state } = given.record;
        fc.pre(!given.isReleased);
        fc.pre(desired === 'running' && reboot === null && makingFailure === null);
        fc.pre(state !== 'stopping' && given.domain?.power.kind === 'on');
        const { isMade, wishedSpec, hasNewDisk, plugging } = given.record;
        const change = nextChange(given.record);
        // These are wishes to touch it.
        fc.pre(change !== 'image' && change !== 'size');
        // What is changed of what it is to be, and of what is about it, does not touch it either.
        const { hasDiskError = false, isPaused = false } = given.domain.power;
        if (given.isLetGo) expect(decide(given).move).toBe('stay');
        else if (isMade && hasNewDisk) expect(decide(given).move).toBe('dropNewDisk');
        else if (isMade && plugging.length > 0 && change !== 'volumes') {
          expect(decide(given).move).toBe('keepPlugged');
        } else if (isMade && wishedSpec !== null) {
          expect(['takeSpec', 'refuseSpec', 'setNetworks', 'hotPlug']).toContain(
            decide(given).move,
          );
        } else if (hasDiskError && isMade) expect(decide(given).move).toBe('retryDisk');
        else if (isPaused && isMade) expect(['rest', 'unpause']).toContain(decide(given).move);
        else expect(decide(given)).toMatchObject({ move: 'rest', change: { state: 'running' } });
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

  it('never says that a machine runs whose CPUs stand still', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { isMade, desired } = given.record;
        fc.pre(isMade && desired !== 'deleted');
        const still = {
          wishedSpec: null,
          hasNewDisk: false,
          plugging: [],
          makingFailure: null,
          reboot: null,
        };
        const record = { ...given.record, ...still };
        const power = { kind: 'on', isPaused: true } as const;
        const domain = { vmId: record.vmId, power, detail: 'paused' };
        const decision = decide({ ...given, record, domain });
        if (decision.move === 'rest') expect(decision.change.state).not.toBe('running');
      }),
    );
  });

  it('never boots a machine whose memory is kept, nor throws that away unless it is to be off', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { record } = given;
        const { power: kept } = given.domain ?? {};
        fc.pre(record.isMade && kept?.kind === 'off' && kept.isSaved === true);
        const { move } = decide(given);
        expect(move).not.toBe('powerOn');
        if (move === 'forgetMemory') expect(record.desired).toBe('stopped');
      }),
    );
  });

  it('never changes the size, nor lets go the task, of a machine whose guest is on', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { move } = decide(given);
        if (move === 'resize' || move === 'release') {
          expect(given.domain?.power.kind).not.toBe('on');
        }
      }),
    );
  });

  it('never powers on a machine whose disk or size is about to be another', () => {
    fc.assert(
      fc.property(situation, (given) => {
        fc.pre(given.record.isMade && nextChange(given.record) !== undefined);
        expect(['powerOn', 'resume', 'unpause']).not.toContain(decide(given).move);
      }),
    );
  });

  it('never makes a disk for a machine that had one', () => {
    fc.assert(
      fc.property(situation, (given) => {
        fc.pre(given.record.isMade);
        expect(decide(given).move).not.toBe('make');
        if (!given.hasDisk) expect(['powerOn', 'resume']).not.toContain(decide(given).move);
      }),
    );
  });

  it('never removes a machine whose task ends without a wish to delete it', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { desired, makingFailure, reboot } = given.record;
        fc.pre(desired !== 'deleted' && makingFailure === null && reboot === null);
        const { move } = decide({ ...given, isReleased: true });
        const whenOn = given.record.isMade ? 'powerOff' : 'rest';
        expect(move).toBe(given.domain?.power.kind === 'on' ? whenOn : 'release');
      }),
    );
  });

  it('always removes what is to be deleted', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const doomed = { ...given.record, desired: 'deleted' as const, reboot: null };
        const decision = decide({ ...given, record: doomed });
        expect(decision).toEqual({ move: 'unmake', end: 'deleted' });
      }),
    );
  });

  it('leaves said why a machine could not be stopped', () => {
    const made = { ...newRecord(testTask(1), 1000), isMade: true, desired: 'stopped' as const };
    const failed = { ...made, state: 'failed' as const, generation: 2, appliedGeneration: 2 };
    const domain = { vmId: testVmId(1), power: { kind: 'on' } as const, detail: 'running' };
    const seen = { hasDisk: true, isReleased: false, isLetGo: false, isFirstLook: false };
    expect(decide({ record: failed, domain, ...seen })).toEqual({ move: 'rest', change: {} });
  });
});
