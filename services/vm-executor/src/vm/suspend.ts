import { VmFailure } from '../failures.ts';
import type { Procedure } from './procedure.ts';
import type { VmRecord } from './record.ts';
import {
  hardware,
  intent,
  lease,
  network,
  power,
  type VmStep,
  type VmSteps,
  volumes,
} from './steps.ts';

/** What a guest must not have that is to be saved: a device whose state is not QEMU's. */
export function whyNotSuspended({ spec }: Pick<VmRecord, 'spec'>): string | undefined {
  const hasShares = spec.volumes?.some(({ kind }) => kind === 'directory');
  const what = hasShares
    ? 'shares folders with its host (virtiofs)'
    : (spec.hardware?.gpus ?? 0) > 0 && 'has a device of its host passed through';
  return what ? `It can't be suspended: it ${what}. It can be stopped.` : undefined;
}

/** A guest's memory goes to a file, and it is off; what survives host, libvirtd and executor. */
export const SUSPEND: Procedure<VmSteps> = {
  name: 'suspend',
  steps: [
    intent,
    {
      name: 'memory',
      waitsFor: 'its memory to be written to its host',
      async do({ hypervisor, record }, signal) {
        const refusal = whyNotSuspended(record());
        if (refusal !== undefined) throw new VmFailure('CANNOT_SUSPEND', refusal);
        await hypervisor.suspend(record().vmId, signal);
      },
      undo: { none: 'what is saved is resumed by a procedure of its own' },
    },
  ],
};

/** A saved guest goes on. Its domain and seed stay as they are: its memory was of these. */
export const RESUME: Procedure<VmSteps> = {
  name: 'resume',
  steps: [intent, lease, network, volumes, hardware, power],
};

/** Before anything that would make the memory that is kept that of another machine. */
export const forgetMemory: VmStep<'memory'> = {
  name: 'memory',
  waitsFor: 'the hypervisor to throw its memory away',
  do: ({ hypervisor, record }, signal) => hypervisor.forgetMemory(record().vmId, signal),
  undo: { none: 'it was thrown away on purpose' },
};

/** A saved guest is simply off. */
export const FORGET_MEMORY: Procedure<VmSteps> = {
  name: 'forgetMemory',
  steps: [intent, forgetMemory],
};
