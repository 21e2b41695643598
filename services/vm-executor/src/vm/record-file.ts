import { type VmSpec, VmSpecSchema, type VmTaskData } from '@factory/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { StoredVm } from '../storage/port.ts';
import { newRecord, RECORD_VERSION, type VmRecord, VmRecordSchema } from './record.ts';

const { properties } = VmRecordSchema;

/** Without these a record says nothing; all versions have them. */
const CoreSchema = Type.Object({
  version: Type.Integer({ minimum: 1, maximum: RECORD_VERSION }),
  vmId: properties.vmId,
  projectId: properties.projectId,
  assignmentEpoch: properties.assignmentEpoch,
  desired: properties.desired,
  generation: properties.generation,
  appliedGeneration: properties.appliedGeneration,
  isMade: properties.isMade,
  state: properties.state,
});

/**
 * A record as any version up to this one wrote it; undefined when it is none, or a later one's.
 * A field that is missing or unknown gets what a new record has, and what the spec lacks comes from
 * the task's: a spec that grew must not make a machine's past unreadable, and its disk a stranger's.
 */
export function decodeRecord(value: unknown, task: VmTaskData): VmRecord | undefined {
  if (!Value.Check(CoreSchema, value) || value.vmId !== task.vmId) return undefined;
  const given: { readonly [field: string]: unknown } = value;
  const { operations, ...fresh } = newRecord(task, 0);
  const read = <S extends TSchema>(schema: S, field: unknown, otherwise: Static<S>): Static<S> =>
    Value.Check(schema, field) ? field : otherwise;
  const { items } = properties.operations;
  return {
    vmId: value.vmId,
    projectId: value.projectId,
    assignmentEpoch: value.assignmentEpoch,
    desired: value.desired,
    generation: value.generation,
    appliedGeneration: value.appliedGeneration,
    isMade: value.isMade,
    state: value.state,
    version: RECORD_VERSION,
    spec: decodeSpec(given.spec, task.spec),
    wishedSpec: read(properties.wishedSpec, given.wishedSpec, null),
    hasNewDisk: read(properties.hasNewDisk, given.hasNewDisk, false),
    plugging: read(properties.plugging, given.plugging, []),
    externalAddress: read(properties.externalAddress, given.externalAddress, null),
    makingFailure: read(properties.makingFailure, given.makingFailure, null),
    reboot: read(properties.reboot, given.reboot, null),
    operation: read(properties.operation, given.operation, null),
    operations: Array.isArray(given.operations)
      ? given.operations.filter((each) => Value.Check(items, each))
      : operations,
    seq: read(properties.seq, given.seq, fresh.seq),
    stateSinceMs: read(properties.stateSinceMs, given.stateSinceMs, fresh.stateSinceMs),
    guestReady: read(properties.guestReady, given.guestReady, fresh.guestReady),
    guest: read(properties.guest, given.guest, null),
    reason: read(properties.reason, given.reason, fresh.reason),
    message: read(properties.message, given.message, fresh.message),
    timeline: read(properties.timeline, given.timeline, fresh.timeline),
    consoleStartByte: read(properties.consoleStartByte, given.consoleStartByte, 0),
  };
}

/** The state that was written last, whether its VM has a task or not; undefined without a record. */
export function storedState({ record }: StoredVm): VmRecord['state'] | undefined {
  return Value.Check(CoreSchema, record) ? record.state : undefined;
}

function decodeSpec(stored: unknown, ofTask: VmSpec): VmSpec {
  if (Value.Check(VmSpecSchema, stored)) return stored;
  const mended = withMissing(stored, ofTask);
  return Value.Check(VmSpecSchema, mended) ? mended : ofTask;
}

/** What is stored, and where something is missing, the other's; at every depth. */
function withMissing(stored: unknown, other: unknown): unknown {
  if (!isPlainObject(stored) || !isPlainObject(other)) return stored ?? other;
  const fields = new Set([...Object.keys(stored), ...Object.keys(other)]);
  return Object.fromEntries(
    [...fields].map((field) => [field, withMissing(stored[field], other[field])]),
  );
}

function isPlainObject(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a launch finds of its VM on this host. */
export interface Recovered {
  readonly record: VmRecord;
  /**
   * `quarantined`: there is a disk, and no record that says what became of it. Nothing is done to it
   * for the wish at hand; a newer one (to start it, to delete it) is its user's consent.
   */
  readonly as: 'new' | 'known' | 'quarantined';
}

/** The record that a launch goes on with, from what is stored of its VM. Pure. */
export function recoverRecord(stored: StoredVm, task: VmTaskData, nowMs: number): Recovered {
  const known = decodeRecord(stored.record, task);
  if (known !== undefined) return { record: known, as: 'known' };
  const record = newRecord(task, nowMs);
  if (!stored.holdsData) return { record, as: 'new' };
  if (task.desired === 'deleted') return { record: { ...record, isMade: true }, as: 'quarantined' };
  return {
    as: 'quarantined',
    record: {
      ...record,
      isMade: true,
      state: 'failed',
      reason: 'RECORD_UNREADABLE',
      message:
        'Its disk is on its host, but not a record of it that can be read. Nothing was touched: start it to go on with this disk, or delete it.',
      appliedGeneration: task.generation,
    },
  };
}
