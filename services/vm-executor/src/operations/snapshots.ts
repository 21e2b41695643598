import type { Snapshot, VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import type { DiskSnapshot } from '../storage/disk-contents.ts';
import type { VmStorage } from '../storage/port.ts';
import { type Procedure, undoing } from '../vm/procedure.ts';
import { POWER_ON, type VmSteps } from '../vm/procedures.ts';
import type { VmRecord } from '../vm/record.ts';
import { beginning } from './begin.ts';
import { freeze, isOn, thaw } from './quiesce.ts';
import { requestUnderWay } from './under-way.ts';

/**
 * Snapshots lie inside the disk's own file (docs/decisions: internal snapshots), under the name that
 * their user gave and the id of the operation that made them: one that is cut off knows its own.
 */
function tagOf(record: VmRecord): string {
  const { operationId, params } = requestUnderWay(record, 'snapshot');
  return `${params.name}.${operationId}`;
}

function nameOf({ tag }: DiskSnapshot): string {
  return tag.slice(0, Math.max(0, tag.indexOf('.')));
}

/** The machine's snapshots, oldest first. @throws VmFailure */
export async function listSnapshots(vmId: VmId, storage: VmStorage): Promise<readonly Snapshot[]> {
  const found = await storage.listDiskSnapshots(vmId);
  return found.map((each) => ({ name: nameOf(each), createdAtMs: each.createdAtMs }));
}

/** The tag of the snapshot that the operation names. @throws VmFailure when there is none. */
async function namedTag({ storage, record }: VmSteps, signal: AbortSignal): Promise<string> {
  const { params } = requestUnderWay(record(), 'revert', 'deleteSnapshot');
  const found = await storage.listDiskSnapshots(record().vmId, signal);
  const snapshot = found.find((each) => nameOf(each) === params.name);
  if (snapshot !== undefined) return snapshot.tag;
  throw new VmFailure('HYPERVISOR_ERROR', `The machine has no snapshot ${params.name}.`);
}

/** Whether the snapshot under way has been made: of another moment it is not made again. */
async function isKept({ storage, record }: VmSteps, signal: AbortSignal): Promise<boolean> {
  const found = await storage.listDiskSnapshots(record().vmId, signal);
  return found.some(({ tag }) => tag === tagOf(record()));
}

/** Removes a snapshot from the disk, whoever has that open. */
async function removeTag(steps: VmSteps, tag: string, signal: AbortSignal): Promise<void> {
  const { hypervisor, storage, record } = steps;
  const { vmId } = record();
  if (await isOn(steps, signal)) {
    const { diskPath } = storage.paths(vmId);
    await hypervisor.deleteLiveSnapshot(vmId, diskPath, tag, signal);
  } else {
    await storage.deleteDiskSnapshot(vmId, tag, signal);
  }
}

/** The disk as it is at one moment, kept under a name; the guest goes on, or stays off. */
export const SNAPSHOT: Procedure<VmSteps> = {
  name: 'snapshot',
  steps: [
    beginning,
    {
      name: 'name',
      waitsFor: 'a look at its snapshots',
      async do({ storage, record }, signal) {
        const { name } = requestUnderWay(record(), 'snapshot').params;
        const found = await storage.listDiskSnapshots(record().vmId, signal);
        const isTaken = found.some((each) => nameOf(each) === name && each.tag !== tagOf(record()));
        if (!isTaken) return;
        const advice = 'delete it first, or choose another name';
        throw new VmFailure('HYPERVISOR_ERROR', `It has a snapshot ${name}: ${advice}.`);
      },
      undo: { none: 'nothing was changed' },
    },
    {
      ...freeze,
      async do(steps, signal) {
        if (!(await isKept(steps, signal))) await freeze.do(steps, signal);
      },
    },
    {
      name: 'nvram',
      waitsFor: "its firmware's variables to be copied",
      do: ({ storage, record }, signal) =>
        storage.keepNvram(record().vmId, tagOf(record()), signal),
      undo: ({ storage, record }, signal) =>
        storage.forgetNvram(record().vmId, tagOf(record()), signal),
    },
    {
      name: 'disk',
      waitsFor: 'its disk to be kept',
      async do(steps, signal) {
        const { hypervisor, storage, record } = steps;
        const { vmId } = record();
        const tag = tagOf(record());
        if (await isKept(steps, signal)) return;
        if (await isOn(steps, signal)) {
          await hypervisor.snapshotLiveDisk(vmId, storage.paths(vmId).diskPath, tag, signal);
        } else {
          await storage.snapshotDisk(vmId, tag, signal);
        }
      },
      undo: (steps, signal) => removeTag(steps, tagOf(steps.record()), signal),
    },
    thaw,
  ],
};

/** What an attempt at a snapshot that failed has left. */
export const SNAPSHOT_UNDONE = undoing('undoSnapshot', [beginning], SNAPSHOT);

/** A snapshot's room is given back; what the disk is now does not change. */
export const DELETE_SNAPSHOT: Procedure<VmSteps> = {
  name: 'deleteSnapshot',
  steps: [
    beginning,
    {
      name: 'disk',
      waitsFor: 'its snapshot to be removed',
      async do(steps, signal) {
        const { name } = requestUnderWay(steps.record(), 'deleteSnapshot').params;
        const { storage, record } = steps;
        const found = await storage.listDiskSnapshots(record().vmId, signal);
        for (const each of found.filter((one) => nameOf(one) === name)) {
          await storage.forgetNvram(record().vmId, each.tag, signal);
          await removeTag(steps, each.tag, signal);
        }
      },
      undo: { none: 'what is removed is not brought back' },
    },
  ],
};

/** The disk is what it was; a guest that is on is cut off from it, as by a power failure. */
const BACK: Procedure<VmSteps>['steps'] = [
  beginning,
  {
    name: 'off',
    waitsFor: 'the hypervisor to power it off',
    async do(steps, signal) {
      const { hypervisor, record, observe } = steps;
      await namedTag(steps, signal);
      observe({ state: 'reverting' });
      await hypervisor.powerOff(record().vmId, signal);
      // A memory that was kept on suspending would go on with a disk that it does not know.
      await hypervisor.forgetMemory(record().vmId, signal);
    },
    undo: { none: 'what it had in memory would not fit its disk' },
  },
  {
    name: 'disk',
    waitsFor: 'its disk to become what it was',
    async do(steps, signal) {
      const { storage, record } = steps;
      const tag = await namedTag(steps, signal);
      await storage.revertDisk(record().vmId, tag, signal);
      await storage.revertNvram(record().vmId, tag, signal);
    },
    undo: { none: 'what it was before was not kept' },
  },
];

/** Back to a snapshot, and on again. */
export const REVERT: Procedure<VmSteps> = {
  name: 'revert',
  steps: [
    ...BACK,
    ...POWER_ON.steps,
    {
      name: 'running',
      waitsFor: 'its record to be written',
      do({ observe, save }, signal) {
        observe({ state: 'running' });
        return save(signal);
      },
      undo: { none: 'the record always says what is so' },
    },
  ],
};

/** Back to a snapshot of a machine that is off, and stays so. */
export const REVERT_OFF: Procedure<VmSteps> = {
  name: 'revertOff',
  steps: [
    ...BACK,
    {
      name: 'stopped',
      waitsFor: 'its record to be written',
      do({ observe, save }, signal) {
        observe({ state: 'stopped', reason: 'STOPPED_BY_USER' });
        return save(signal);
      },
      undo: { none: 'the record always says what is so' },
    },
  ],
};

/** Why nothing can be done with this machine's disk now. */
export function whyNoDisk({ state, isMade }: VmRecord): string | undefined {
  const isAtRest = state === 'running' || state === 'stopped' || state === 'failed';
  if (isAtRest && isMade) return undefined;
  return `The machine is ${state}; wait until it runs or is stopped.`;
}
