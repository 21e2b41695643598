import type { Procedure } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import type { VmRecord } from '../vm/record.ts';
import { beginning } from './begin.ts';

/** The reset button: the guest begins anew, without a word to it, in the QEMU process that it has. */
export const RESET: Procedure<VmSteps> = {
  name: 'reset',
  steps: [
    {
      ...beginning,
      waitsFor: 'its console log and record',
      async do({ storage, record, amend, save }, signal) {
        // What its console said before does not mean that it is up again.
        const consoleStartByte = await storage.consoleSize(record().vmId);
        signal.throwIfAborted();
        amend((before) => ({ ...before, consoleStartByte }));
        await save(signal);
      },
    },
    {
      name: 'reset',
      waitsFor: 'the hypervisor to reset it',
      async do({ hypervisor, record, observe }, signal) {
        observe({ guestReady: false });
        await hypervisor.reset(record().vmId, signal);
      },
      undo: { none: 'what the guest had in memory is gone' },
    },
  ],
};

/** Why this machine can't be reset now. */
export function whyNotReset({ state }: VmRecord): string | undefined {
  if (state === 'running') return undefined;
  return `The machine is ${state}; only a running one can be reset.`;
}
