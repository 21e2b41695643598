import {
  type DesiredChange,
  DesiredStateSchema,
  GuestInfoSchema,
  OperationDataSchema,
  OperationRequestSchema,
  OperationResultSchema,
  ProjectIdSchema,
  type Static,
  standing,
  TimelineSchema,
  VmIdSchema,
  type VmObservation,
  VmReasonSchema,
  type VmSpec,
  VmSpecSchema,
  VmStateSchema,
  type VmTaskData,
  VolumeMountSchema,
} from '@factory/contracts';
import { Type } from 'typebox';
import type { AddressLease } from '../storage/port.ts';
import { withSpec, withVolumesOf } from './spec-change.ts';

export const RECORD_VERSION = 1;

/** Results of one-shot operations that a record remembers, so that none is applied twice. */
export const REMEMBERED_OPERATIONS_MAX = 32;

/** A one-shot operation from its first step to its last. */
export const OperationUnderWaySchema = Type.Object({
  request: OperationRequestSchema,
  /** The machine was on when it began. */
  wasOn: Type.Boolean(),
  /** Why it failed; what was made for it is being taken back. */
  failure: Type.Union([
    Type.Object({ reason: Type.Union([VmReasonSchema, Type.Null()]), message: Type.String() }),
    Type.Null(),
  ]),
  /** The guest's file systems were frozen at the moment that counts. */
  isQuiesced: Type.Boolean(),
  /** They were about to be frozen, and have not been seen to go on since. */
  mayBeFrozen: Type.Optional(Type.Boolean()),
  /** What was made so far that the result tells of. */
  made: Type.Optional(OperationDataSchema),
});
export type OperationUnderWay = Static<typeof OperationUnderWaySchema>;

/**
 * `record.json`: what this host knows of a VM. It is written before anything is made for the VM, and
 * outlives the executor, so that the next one goes on where this one ended. Read by `record-file.ts`,
 * which has to be able to read what earlier versions wrote.
 */
export const VmRecordSchema = Type.Object({
  version: Type.Literal(RECORD_VERSION),
  vmId: VmIdSchema,
  projectId: ProjectIdSchema,
  assignmentEpoch: Type.Integer(),
  /** What the machine is: what its disk, its domain and its task have. */
  spec: VmSpecSchema,
  /** What it is to be by a newer wish; null when it is so already. */
  wishedSpec: Type.Union([VmSpecSchema, Type.Null()]),
  /** A disk for it, made of another image, may lie beside the one that it has. */
  hasNewDisk: Type.Boolean(),
  /** Volumes that its guest may have got since it was started, and of which `spec` does not say so. */
  plugging: Type.Array(VolumeMountSchema),
  /** One of its host's, which is the VM's own until it goes or is not to have one any more. */
  externalAddress: Type.Union([Type.String(), Type.Null()]),
  /** The newest wish heard, and the one that has been carried out (or has failed). */
  desired: DesiredStateSchema,
  generation: Type.Integer(),
  appliedGeneration: Type.Integer(),
  /** The domain has been defined and (if so wished) on: from now on its disk is precious. */
  isMade: Type.Boolean(),
  /** Why the making failed; what was made so far is being removed. */
  makingFailure: Type.Union([
    Type.Object({ reason: VmReasonSchema, message: Type.String() }),
    Type.Null(),
  ]),
  /** A restart under way: `off` comes first, then `on`. */
  reboot: Type.Union([
    Type.Object({
      operationId: OperationResultSchema.properties.operationId,
      phase: Type.Union([Type.Literal('off'), Type.Literal('on')]),
    }),
    Type.Null(),
  ]),
  /** A one-shot operation under way; whoever keeps the VM ends it. */
  operation: Type.Union([OperationUnderWaySchema, Type.Null()]),
  operations: Type.Array(OperationResultSchema),
  seq: Type.Integer(),
  state: VmStateSchema,
  stateSinceMs: Type.Number(),
  guestReady: Type.Boolean(),
  /** What the running guest says of itself. */
  guest: Type.Union([GuestInfoSchema, Type.Null()]),
  reason: Type.Union([VmReasonSchema, Type.Null()]),
  message: Type.Union([Type.String(), Type.Null()]),
  timeline: TimelineSchema,
  /** Where the console log ended when the guest was last powered on. */
  consoleStartByte: Type.Integer(),
});
export type VmRecord = Static<typeof VmRecordSchema>;

/** What is wished of a VM; without a spec it is to stay what it was to be. */
export type Wish = Pick<DesiredChange, 'generation' | 'desired' | 'spec'>;

/** The record of a VM that this host has never heard of. */
export function newRecord(task: VmTaskData, nowMs: number): VmRecord {
  return {
    version: RECORD_VERSION,
    vmId: task.vmId,
    projectId: task.projectId,
    assignmentEpoch: task.assignmentEpoch,
    spec: task.spec,
    wishedSpec: null,
    hasNewDisk: false,
    plugging: [],
    externalAddress: null,
    desired: task.desired,
    generation: task.generation,
    appliedGeneration: 0,
    isMade: false,
    makingFailure: null,
    reboot: null,
    operation: null,
    operations: [],
    seq: nowMs,
    state: task.desired === 'deleted' ? 'deleting' : 'preparing',
    stateSinceMs: nowMs,
    guestReady: false,
    guest: null,
    reason: null,
    message: null,
    timeline: {},
    consoleStartByte: 0,
  };
}

/** The record with the task's wish, if that is newer; a launch never takes a wish back. */
export function takeOver(record: VmRecord, task: VmTaskData): VmRecord {
  const assignmentEpoch = Math.max(task.assignmentEpoch, record.assignmentEpoch);
  const taken = { ...withWish(record, task), assignmentEpoch };
  const isFresh = task.assignmentEpoch > record.assignmentEpoch || !record.isMade;
  if (isFresh) return startAnew(taken, task.spec);
  // Of a wish that is not carried out yet, the launch's word counts.
  const isOpen = task.generation === taken.generation && taken.appliedGeneration < task.generation;
  return isOpen ? withSpec(taken, task.spec) : taken;
}

/** What is launched is what it is; but a guest that may be on has the volumes that it has. */
function startAnew(record: VmRecord, launched: VmSpec): VmRecord {
  const spec = record.isMade ? withVolumesOf(launched, record.spec) : launched;
  return withSpec({ ...record, spec, wishedSpec: null }, launched);
}

/** The record with a wish, if it is newer than the one it has. Deleting is never taken back. */
export function withWish(record: VmRecord, wish: Wish): VmRecord {
  const { generation, desired, spec } = wish;
  if (record.desired === 'deleted') return record;
  const isNewer = generation > record.generation;
  const isLastWord = desired === 'deleted' && generation === record.generation;
  if (!(isNewer || isLastWord)) return record;
  const wished = { ...record, generation, desired };
  return spec === undefined ? wished : withSpec(wished, spec);
}

/** What is said of the VM to the scheduler. */
export function toObservation(record: VmRecord): VmObservation {
  const { vcpus, memoryMiB, diskGiB, image, volumes = [] } = record.spec;
  const applied = { vcpus, memoryMiB, diskGiB, image, volumes };
  return {
    vmId: record.vmId,
    seq: record.seq,
    generation: record.appliedGeneration,
    ...standing(record.state, record.reason, record.message),
    stateSinceMs: record.stateSinceMs,
    guestReady: record.guestReady,
    ...(record.guest === null ? {} : { guest: record.guest }),
    timeline: record.timeline,
    // With the first wish it is what it was launched for.
    ...(record.appliedGeneration > 1 ? { applied } : {}),
    ...(record.externalAddress === null ? {} : { externalAddress: record.externalAddress }),
  };
}

/** The VM's address. */
export function leaseOf(record: VmRecord): AddressLease {
  const { network, hostname } = record.spec;
  return { vmId: record.vmId, hostname, ...network };
}
