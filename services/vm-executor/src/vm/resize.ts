import type { Procedure } from './procedure.ts';
import { settleChange } from './spec-change.ts';
import { domain, intent, network, restated, type VmSteps, volumes } from './steps.ts';
import { forgetMemory } from './suspend.ts';

/** How a machine that is off gets the size that it is to have; its task has it already. */
export const RESIZE: Procedure<VmSteps> = {
  name: 'resize',
  steps: [
    intent,
    forgetMemory,
    {
      name: 'disk',
      waitsFor: 'its disk to grow',
      async do({ storage, record }, signal) {
        const { vmId, spec, wishedSpec } = record();
        await storage.growDisk(vmId, (wishedSpec ?? spec).diskGiB, signal);
      },
      undo: { none: 'what has grown is not made smaller' },
    },
    network,
    volumes,
    {
      ...domain,
      do: (context, signal) => {
        const record = () => settleChange(context.record(), 'size');
        return domain.do({ ...context, record }, signal);
      },
    },
    {
      name: 'settled',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => settleChange(record, 'size'));
        return save(signal);
      },
      undo: restated,
    },
  ],
};
