import type { VmSample } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';

/** What was not told anew for this long is not true any more: the machine is off, or its host away. */
const FRESH_MS = 60_000;

/** What machines use, as their executors told it last. In memory alone: it is told again soon. */
export class VmUse {
  readonly #state: SchedulerState;
  readonly #clock: Clock;
  readonly #newest = new Map<string, { readonly sample: VmSample; readonly toldMs: number }>();

  constructor(state: SchedulerState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Takes the word of the executor on an agent, for the machines that are there. */
  told(agentId: string, samples: readonly VmSample[]): void {
    const toldMs = this.#clock.monotonicMs();
    for (const sample of samples) {
      if (this.#state.vm(sample.vmId)?.task?.agentId !== agentId) continue;
      this.#newest.set(sample.vmId, { sample, toldMs });
    }
  }

  /** The newest of each machine that was told of lately. */
  latest(): VmSample[] {
    const sinceMs = this.#clock.monotonicMs() - FRESH_MS;
    for (const [vmId, { toldMs }] of this.#newest) {
      if (toldMs < sinceMs) this.#newest.delete(vmId);
    }
    return Array.from(this.#newest.values(), ({ sample }) => sample);
  }
}
