import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testTask } from '../testing.ts';
import { newRecord, RECORD_VERSION, type VmRecord } from './record.ts';
import { decodeRecord, recoverRecord } from './record-file.ts';

const task = testTask(1);
const made: VmRecord = {
  ...newRecord(task, 1_000),
  isMade: true,
  state: 'running',
  generation: 4,
  appliedGeneration: 3,
};

/** What a record can't do without; the rest may be missing in one of another version. */
const CORE = [
  'version',
  'vmId',
  'projectId',
  'assignmentEpoch',
  'desired',
  'generation',
  'appliedGeneration',
  'isMade',
  'state',
] as const satisfies readonly (keyof VmRecord)[];
const EXTRA = Object.keys(made).filter((field) => !CORE.some((core) => core === field));

function without(object: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}

const coreOf = (record: VmRecord | undefined) => CORE.map((field) => record?.[field]);

describe('decodeRecord', () => {
  it('reads back what was written', () => {
    expect(decodeRecord(JSON.parse(JSON.stringify(made)), task)).toEqual(made);
  });

  it('reads a record that lacks any fields that were added later, also of its spec', () => {
    const specFields = fc.subarray(Object.keys(made.spec));
    const networkFields = fc.subarray(Object.keys(made.spec.network));
    fc.assert(
      fc.property(fc.subarray(EXTRA), specFields, networkFields, (missing, ofSpec, ofNetwork) => {
        const network = without(made.spec.network, ofNetwork);
        const old = { ...made, spec: without({ ...made.spec, network }, ofSpec) };
        const read = decodeRecord(without(old, missing), task);
        expect(coreOf(read)).toEqual(coreOf(made));
        expect(read?.spec).toEqual(task.spec);
      }),
    );
  });

  it('reads a record with anything in the fields beside its core', () => {
    const junk = fc.dictionary(fc.constantFrom(...EXTRA, 'later'), fc.jsonValue());
    fc.assert(
      fc.property(junk, (fields) => {
        const read = decodeRecord({ ...made, ...fields }, task);
        expect(coreOf(read)).toEqual(coreOf(made));
        // It can be written and read again.
        expect(decodeRecord(JSON.parse(JSON.stringify(read)), task)).toEqual(read);
      }),
    );
  });

  it('keeps what the record says of the machine over what the task says', () => {
    const { userData: _, ...spec } = { ...made.spec, memoryMiB: 4_096 };
    expect(decodeRecord({ ...made, spec }, task)?.spec).toEqual({
      ...task.spec,
      memoryMiB: 4_096,
    });
  });

  it.each([
    ['a later version', { ...made, version: RECORD_VERSION + 1 }],
    ["another machine's", { ...made, vmId: testTask(2).vmId }],
    ['a half record', without(made, ['isMade'])],
    ['no record', undefined],
  ])('does not guess: %s', (_, value) => {
    expect(decodeRecord(value, task)).toBeUndefined();
  });
});

describe('recoverRecord', () => {
  it('never takes a machine with a disk for one that was not made', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (record) => {
        const found = recoverRecord({ record, holdsData: true }, task, 5_000);
        expect(found.as).toBe('quarantined');
        expect(found.record).toMatchObject({
          isMade: true,
          state: 'failed',
          reason: 'RECORD_UNREADABLE',
        });
      }),
    );
  });

  it('begins anew where nothing is', () => {
    const found = recoverRecord({ record: undefined, holdsData: false }, task, 5_000);
    expect(found).toEqual({ as: 'new', record: newRecord(task, 5_000) });
  });
});
