import { VmFailure } from '../failures.ts';
import type { Step } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import { amended, underWay } from './under-way.ts';

/** Whether the machine's guest is on, as the hypervisor sees it now. */
export async function isOn({ hypervisor, record }: VmSteps, signal: AbortSignal): Promise<boolean> {
  return (await hypervisor.findDomain(record().vmId, signal))?.power.kind === 'on';
}

/** Lets file systems go on; gives whether an agent answered. A guest that is off has none that wait. */
async function thawed(steps: VmSteps, signal: AbortSignal): Promise<boolean> {
  const { hypervisor, record, amend } = steps;
  const isAnswered = (await isOn(steps, signal)) && (await thawGuest());
  amend((before) => amended(before, { mayBeFrozen: false }));
  return isAnswered;

  async function thawGuest(): Promise<boolean> {
    try {
      await hypervisor.thaw(record().vmId, signal);
      return true;
    } catch (error) {
      const isAway = error instanceof VmFailure && error.reason === 'GUEST_AGENT_AWAY';
      if (!isAway) throw error;
      if (underWay(record()).mayBeFrozen !== true) return false;
      const message = `Its file systems may be frozen, and its agent is silent. ${error.message}`;
      throw new VmFailure('GUEST_AGENT_AWAY', message, { cause: error, isTransient: true });
    }
  }
}

/** The guest's file systems, brought to rest where an agent does it; else as after a power failure. */
export const freeze: Step<VmSteps, 'freeze'> = {
  name: 'freeze',
  waitsFor: "the guest's agent to freeze its file systems",
  async do(steps, signal) {
    const { hypervisor, record, amend, save } = steps;
    const note = (news: { readonly isQuiesced: boolean; readonly mayBeFrozen: boolean }) => {
      amend((before) => amended(before, news));
      return save(signal);
    };
    // Cut off after a freeze, it is taken again; and frozen file systems can't be frozen.
    const isAnswered = await thawed(steps, signal);
    if (!(await isOn(steps, signal))) return note({ isQuiesced: true, mayBeFrozen: false });
    // Who comes after a crash knows that they may wait, and what is true of what was kept.
    await note({ isQuiesced: false, mayBeFrozen: isAnswered });
    if (!isAnswered) return;
    try {
      await hypervisor.freeze(record().vmId, signal);
    } catch (error) {
      if (!(error instanceof VmFailure) || error.isTransient) throw error;
      await thawed(steps, signal);
      return;
    }
    await note({ isQuiesced: true, mayBeFrozen: true });
  },
  undo: async (steps, signal) => void (await thawed(steps, signal)),
};

/** They go on. */
export const thaw: Step<VmSteps, 'thaw'> = {
  name: 'thaw',
  waitsFor: "the guest's agent to thaw its file systems",
  do: async (steps, signal) => void (await thawed(steps, signal)),
  undo: { none: 'a guest that goes on is as it should be' },
};
