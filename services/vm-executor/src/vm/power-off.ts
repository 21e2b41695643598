import type { VmId } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import type { Hypervisor } from '../hypervisor/port.ts';

/** How long a guest may take. */
export interface PowerOffLimits {
  /** After this the plug is pulled. */
  readonly graceMs: number;
  /** The power button is pressed again this often: a guest early in its boot ignores it. */
  readonly pressAgainMs: number;
}

/**
 * Powers a guest off: by the power button, and by the plug when the grace is over.
 * @throws the signal's reason, with the guest still on, when that aborts.
 */
export async function powerOffGuest(options: {
  readonly clock: Clock;
  readonly hypervisor: Hypervisor;
  readonly vmId: VmId;
  /** Rung when the domain or the wish changes. */
  readonly bell: Bell;
  readonly limits: PowerOffLimits;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { clock, hypervisor, vmId, bell, limits, signal } = options;
  const startMs = clock.monotonicMs();
  let pressAtMs = startMs;
  for (;;) {
    signal.throwIfAborted();
    const domain = await hypervisor.findDomain(vmId, signal);
    if (domain?.power.kind !== 'on') return;
    signal.throwIfAborted();
    const nowMs = clock.monotonicMs();
    if (nowMs - startMs >= limits.graceMs) {
      await hypervisor.powerOff(vmId, signal);
      return;
    }
    if (nowMs >= pressAtMs) {
      await hypervisor.pressPowerButton(vmId, signal);
      pressAtMs = nowMs + limits.pressAgainMs;
    }
    const waitMs = Math.max(1, Math.min(pressAtMs, startMs + limits.graceMs) - nowMs);
    await bell.wait(waitMs, signal);
  }
}
