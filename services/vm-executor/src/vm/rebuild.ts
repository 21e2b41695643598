import type { Procedure } from './procedure.ts';
import { settleChange } from './spec-change.ts';
import { powerOff, restated, type VmStep, type VmSteps } from './steps.ts';
import { forgetMemory } from './suspend.ts';

const isThrownAway = { none: 'a disk that is not wanted is thrown away by a procedure of its own' };

/**
 * How a machine gets a disk of another image. The new one is made beside the old one while the guest
 * may still run, so what is most likely to fail changes nothing; and there is a disk at any time.
 */
export const REBUILD: Procedure<VmSteps> = {
  name: 'rebuild',
  steps: [
    {
      name: 'intent',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => ({ ...record, hasNewDisk: true }));
        return save(signal);
      },
      undo: restated,
    },
    {
      name: 'disk',
      waitsFor: 'its new disk, made on top of the image',
      async do({ storage, record }, signal) {
        const { vmId, spec, wishedSpec } = record();
        const { image, diskGiB } = { ...spec, image: (wishedSpec ?? spec).image };
        await storage.createNewDisk(vmId, image, diskGiB, signal);
      },
      undo: isThrownAway,
    },
    powerOff,
    forgetMemory,
    {
      name: 'swap',
      waitsFor: 'its new disk to take the place of the old one',
      do: ({ storage, record }, signal) => storage.useNewDisk(record().vmId, signal),
      undo: { none: 'what was on the old disk is gone, as wished' },
    },
    {
      name: 'settled',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => ({ ...settleChange(record, 'image'), hasNewDisk: false }));
        return save(signal);
      },
      undo: restated,
    },
  ],
};

const dropNewDisk: VmStep<'drop'> = {
  name: 'drop',
  waitsFor: 'a disk that was not used to be removed',
  async do({ storage, record, amend, save }, signal) {
    await storage.dropNewDisk(record().vmId, signal);
    amend((before) => ({ ...before, hasNewDisk: false }));
    await save(signal);
  },
  undo: isThrownAway,
};

/** What is left of a rebuild that came to nothing goes. */
export const DROP_NEW_DISK: Procedure<VmSteps> = { name: 'dropNewDisk', steps: [dropNewDisk] };
