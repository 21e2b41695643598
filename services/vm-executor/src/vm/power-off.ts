import type { Clock } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { VmRecord } from './record.ts';

/** How long a guest may take. */
export interface PowerOffLimits {
  /** After this the plug is pulled. */
  readonly graceMs: number;
  /** The power button is pressed again this often: a guest early in its boot ignores it. */
  readonly pressAgainMs: number;
}

/**
 * Powers a guest off: by the power button, and by the plug when the grace is over. Ends early, with
 * the guest still on, when the VM is to be deleted meanwhile.
 */
export async function powerOffGuest(options: {
  readonly clock: Clock;
  readonly hypervisor: Hypervisor;
  readonly record: () => VmRecord;
  /** Rung when the domain or the wish changes. */
  readonly bell: Bell;
  readonly limits: PowerOffLimits;
}): Promise<void> {
  const { clock, hypervisor, record, bell, limits } = options;
  const { vmId } = record();
  const startMs = clock.monotonicMs();
  let pressAtMs = startMs;
  for (;;) {
    if (record().desired === 'deleted') return;
    const domain = await hypervisor.findDomain(vmId);
    if (domain?.power.kind !== 'on') return;
    const nowMs = clock.monotonicMs();
    if (nowMs - startMs >= limits.graceMs) {
      await hypervisor.powerOff(vmId);
      return;
    }
    if (nowMs >= pressAtMs) {
      await hypervisor.pressPowerButton(vmId);
      pressAtMs = nowMs + limits.pressAgainMs;
    }
    await bell.wait(Math.max(1, Math.min(pressAtMs, startMs + limits.graceMs) - nowMs));
  }
}
