import { isDeepStrictEqual } from 'node:util';
import type { AppliedSpec, VmAssignment, VmReason, VmSpec, VmState } from '@factory/contracts';
import type { VmRecord, VmTask } from './vm-record.ts';

/** What a task is launched for, and what can't be changed while it lives. */
export type Size = Pick<VmSpec, 'vcpus' | 'memoryMiB' | 'diskGiB'>;

/** A change of size that is under way: the task is let go, and launched again with new amounts. */
export interface Resize {
  /** What the VM has, and goes back to when its host has no room for more. */
  readonly from: Size;
  /** It found no room, and is what it was; words for its user. */
  readonly refusal?: string;
}

/** What is told of a wish that could not be carried out as it was made. */
export interface Notice {
  /** Of the wish. */
  readonly generation: number;
  readonly reason: VmReason;
  readonly message: string;
}

/** A machine that waits for its new size goes back to the old one after this long. */
const ROOM_SOUGHT_MS = 30_000;
/** States in which a machine's task can be let go: nothing runs in it. */
const OFF: ReadonlySet<VmState> = new Set(['stopped', 'failed']);

export function sizeOf({ vcpus, memoryMiB, diskGiB }: Size): Size {
  return { vcpus, memoryMiB, diskGiB };
}

export function isSameSize(a: Size, b: Size): boolean {
  return a.vcpus === b.vcpus && a.memoryMiB === b.memoryMiB && a.diskGiB === b.diskGiB;
}

/** What the VM's task takes, which is not what it is to be while that changes. */
export function sizeOfTask({ task, assignment }: VmRecord): Size {
  return task?.size ?? sizeOf(assignment.spec);
}

/** What a VM has of its host as things stand. */
export function assignmentOfTask(record: VmRecord): VmAssignment {
  const { assignment, task } = record;
  if (task?.size === undefined) return assignment;
  return { ...assignment, spec: { ...assignment.spec, ...task.size } };
}

/** The record with a spec to be reached; a change of size begins, or is taken back, by it. */
export function withSpecOf(record: VmRecord, assignment: VmAssignment): VmRecord {
  const { resize: before, ...rest } = record;
  const next = { ...rest, assignment, task: withTaskSize(record, assignment) };
  // What no executor has spoken of has no size yet.
  if (record.observation === null) return next;
  const from = before?.from ?? sizeOf(record.assignment.spec);
  return isSameSize(from, assignment.spec) && next.task?.size === undefined
    ? next
    : { ...next, resize: { from } };
}

function withTaskSize(record: VmRecord, { spec }: VmAssignment): VmTask | null {
  if (record.task === null) return null;
  const { size: _, ...task } = record.task;
  const size = sizeOfTask(record);
  return isSameSize(size, spec) ? task : { ...task, size };
}

/** Whether the VM's task has to be let go, so that it can be launched with other amounts. */
export function isToBeReleased({ phase, task, observation }: VmRecord): boolean {
  const isOff = observation !== null && OFF.has(observation.state);
  return phase === 'hosted' && task?.size !== undefined && isOff;
}

/** Its task has ended, and its next one is to have another size: how that is shown and counted. */
export function isResizing({ phase, resize, observation }: VmRecord): boolean {
  const isBetweenTasks = phase === 'waiting' || phase === 'launching';
  return resize !== undefined && observation !== null && isBetweenTasks;
}

/** Whether it has waited for its new size for so long that it goes back to the old one. */
export function isWithoutRoom(record: VmRecord, ageMs: number): boolean {
  const { phase, resize, assignment } = record;
  if (phase !== 'waiting' || resize === undefined || ageMs <= ROOM_SOUGHT_MS) return false;
  return isLarger(assignment.spec, resize.from);
}

function isLarger(a: Size, b: Size): boolean {
  return a.vcpus > b.vcpus || a.memoryMiB > b.memoryMiB || a.diskGiB > b.diskGiB;
}

/** The VM stays as it was: its host had no room for what it was to be. */
export function goBack(record: VmRecord): VmRecord {
  const { assignment, resize } = record;
  if (resize === undefined) return record;
  const wished = describe(assignment.spec);
  const refusal = `Its host had no room for ${wished}. It keeps ${describe(resize.from)}.`;
  return {
    ...record,
    assignment: { ...assignment, spec: { ...assignment.spec, ...resize.from } },
    resize: { ...resize, refusal },
    reason: 'NO_CAPACITY',
    message: refusal,
  };
}

function describe({ vcpus, memoryMiB, diskGiB }: Size): string {
  return `${vcpus} vCPUs, ${memoryMiB} MiB of memory and ${diskGiB} GiB of disk`;
}

/**
 * What follows from what the executor says that the VM is, once it has carried out the wish at hand:
 * where that could not be done as wished, the VM's task follows the VM.
 */
export function withApplied(record: VmRecord, generation: number, applied?: AppliedSpec): VmRecord {
  if (generation < record.assignment.generation) return record;
  const { resize, ...rest } = record;
  const told = resize?.refusal === undefined ? rest : { ...rest, notice: noticeOf(record) };
  const { spec } = record.assignment;
  const { image, volumes, ...size } = applied ?? spec;
  const isSame = isSameImage(image, spec.image) && isSameVolumes(volumes, spec.volumes);
  if (isSameSize(size, spec) && isSame) {
    return resize === undefined || record.task?.size !== undefined ? record : told;
  }
  const has = volumes === undefined ? {} : { volumes };
  const assignment = { ...record.assignment, spec: { ...spec, ...sizeOf(size), image, ...has } };
  const task = withTaskSize(record, assignment);
  const next = { ...told, assignment, task };
  return task?.size === undefined ? next : { ...next, resize: { from: sizeOf(size) } };
}

function noticeOf({ assignment, resize }: VmRecord): Notice {
  const { generation } = assignment;
  return { generation, reason: 'NO_CAPACITY', message: resize?.refusal ?? '' };
}

/** Hosts of before said nothing of them. */
function isSameVolumes(told: VmSpec['volumes'], wished: VmSpec['volumes']): boolean {
  return told === undefined || isDeepStrictEqual(told, wished ?? []);
}

function isSameImage(a: VmSpec['image'], b: VmSpec['image']): boolean {
  const isSameFile = a.name === b.name && a.version === b.version;
  return isSameFile && (a.generation ?? 0) === (b.generation ?? 0);
}
