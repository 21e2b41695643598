import { isFullDisk } from '../failures.ts';
import { HOT_PLUG, KEEP_PLUGGED } from './hot-plug.ts';
import { type Procedure, undoing } from './procedure.ts';
import { DROP_NEW_DISK, REBUILD } from './rebuild.ts';
import { RESIZE } from './resize.ts';
import {
  domain,
  externalAddress,
  hardware,
  inFolder,
  intent,
  lease,
  network,
  power,
  powerOff,
  restated,
  seed,
  type VmSteps,
  volumes,
} from './steps.ts';
import { FORGET_MEMORY, RESUME, SUSPEND } from './suspend.ts';

export type { VmSteps } from './steps.ts';

/**
 * How a VM is made. Unmaking is the same list, from the end, undone: what is made last is removed
 * first, and the record, which says that there is something to remove, goes last.
 */
export const CREATE: Procedure<VmSteps> = {
  name: 'create',
  steps: [
    {
      name: 'record',
      waitsFor: 'its record and folder to be written or removed',
      do: async ({ save, observe }, signal) => {
        await save(signal);
        observe({ stage: 'taken' });
      },
      undo: ({ storage, record }, signal) => storage.removeVm(record().vmId, signal),
    },
    lease,
    {
      name: 'disk',
      waitsFor: 'its disk, made on top of the image',
      do: async ({ storage, record, observe }, signal) => {
        const { vmId, spec } = record();
        await storage.createDisk(vmId, spec.image, spec.diskGiB, signal);
        observe({ stage: 'image' });
      },
      undo: inFolder,
    },
    seed,
    externalAddress,
    network,
    volumes,
    hardware,
    domain,
    power,
    {
      // From now on only its user's wish removes the disk. On the disk before anybody hears of it:
      // after a power failure, a record that says "not made" would let a failed making remove it.
      name: 'made',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => ({ ...record, isMade: true }));
        return save(signal);
      },
      undo: restated,
    },
  ],
};

/** How a VM is made that is wished off. */
export const CREATE_OFF: Procedure<VmSteps> = {
  name: 'create',
  steps: CREATE.steps.filter((step) => step.name !== 'power'),
};

/** How whatever was made of a VM is removed: as wished, or after its making failed. */
export const DELETE: Procedure<VmSteps> = undoing(
  'delete',
  [
    {
      // Whoever comes after us knows that what is missing was removed on purpose.
      name: 'wish',
      waitsFor: 'its record to be written',
      do: async ({ save }, signal) => {
        await save(signal).catch((error: unknown) => {
          // Removing is what helps a full disk; the wish is kept by those who told it, too.
          if (!isFullDisk(error)) throw error;
        });
      },
      undo: restated,
    },
  ],
  CREATE,
);

/** How a stopped VM gets its domain back and is powered on; its disk and record are there. */
export const POWER_ON: Procedure<VmSteps> = {
  name: 'powerOn',
  steps: [
    {
      name: 'intent',
      waitsFor: 'its console log and record',
      do: async ({ storage, record, amend, save }, signal) => {
        const consoleStartByte = await storage.consoleSize(record().vmId);
        signal.throwIfAborted();
        amend((before) => ({
          ...before,
          consoleStartByte,
          reboot: before.reboot === null ? null : { ...before.reboot, phase: 'on' },
        }));
        await save(signal);
      },
      undo: restated,
    },
    lease,
    seed,
    network,
    volumes,
    hardware,
    domain,
    power,
  ],
};

/** How a guest is powered off; its domain stays. */
export const POWER_OFF: Procedure<VmSteps> = {
  name: 'powerOff',
  steps: [intent, powerOff],
};

/** All of them: what a crash at every step has to be tried with. */
export const PROCEDURES: readonly Procedure<VmSteps>[] = [
  CREATE,
  DELETE,
  POWER_ON,
  POWER_OFF,
  SUSPEND,
  RESUME,
  FORGET_MEMORY,
  RESIZE,
  REBUILD,
  DROP_NEW_DISK,
  HOT_PLUG,
  KEEP_PLUGGED,
];
