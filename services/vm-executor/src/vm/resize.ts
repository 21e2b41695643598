import type { Procedure } from './procedure.ts';
import { settleChange } from './spec-change.ts';
import {
  domain,
  hardware,
  intent,
  network,
  restated,
  type VmStep,
  type VmSteps,
  volumes,
} from './steps.ts';
import { forgetMemory } from './suspend.ts';

/** The step as of a machine that has its new size. */
function ofNewSize<Name extends string>(step: VmStep<Name>): VmStep<Name> {
  return {
    ...step,
    do: (context, signal) => {
      const record = () => settleChange(context.record(), 'size');
      return step.do({ ...context, record }, signal);
    },
  };
}

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
    ofNewSize(hardware),
    ofNewSize(domain),
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
