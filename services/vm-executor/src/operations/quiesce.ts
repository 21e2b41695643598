import { VmFailure } from '../failures.ts';
import type { Step } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import { amended, underWay } from './under-way.ts';

/** Whether the machine's guest is on, as the hypervisor sees it now. */
export async function isOn({ hypervisor, record }: VmSteps, signal: AbortSignal): Promise<boolean> {
  return (await hypervisor.findDomain(record().vmId, signal))?.power.kind === 'on';
}

/** Lets file systems go on; a guest that is off, or without an agent, has none that wait. */
async function thawed(steps: VmSteps, signal: AbortSignal): Promise<void> {
  const { hypervisor, record } = steps;
  if (!(await isOn(steps, signal))) return;
  try {
    await hypervisor.thaw(record().vmId, signal);
  } catch (error) {
    const isAway = error instanceof VmFailure && error.reason === 'GUEST_AGENT_AWAY';
    if (!isAway) throw error;
    if (!underWay(record()).isQuiesced) return;
    const message = `Its file systems are frozen, and its agent is silent. ${error.message}`;
    throw new VmFailure('GUEST_AGENT_AWAY', message, { cause: error, isTransient: true });
  }
}

/** The guest's file systems, brought to rest where an agent does it; else as after a power failure. */
export const freeze: Step<VmSteps, 'freeze'> = {
  name: 'freeze',
  waitsFor: "the guest's agent to freeze its file systems",
  async do(steps, signal) {
    const { hypervisor, record, amend } = steps;
    const quiesced = (isQuiesced: boolean) => amend((before) => amended(before, { isQuiesced }));
    // Cut off after a freeze, it is taken again; and frozen file systems can't be frozen.
    await thawed(steps, signal);
    quiesced(false);
    if (!(await isOn(steps, signal))) return quiesced(true);
    try {
      await hypervisor.freeze(record().vmId, signal);
      quiesced(true);
    } catch (error) {
      if (!(error instanceof VmFailure) || error.isTransient) throw error;
      await thawed(steps, signal);
    }
  },
  undo: (steps, signal) => thawed(steps, signal),
};

/** They go on. */
export const thaw: Step<VmSteps, 'thaw'> = {
  name: 'thaw',
  waitsFor: "the guest's agent to thaw its file systems",
  do: (steps, signal) => thawed(steps, signal),
  undo: { none: 'a guest that goes on is as it should be' },
};
