import type { Step } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';

/** The first step of every operation: whoever comes after this executor knows that it was begun. */
export const beginning: Step<VmSteps, 'begin'> = {
  name: 'begin',
  waitsFor: 'its record to be written',
  do: ({ save }, signal) => save(signal),
  undo: { none: 'the record says that it has ended' },
};
