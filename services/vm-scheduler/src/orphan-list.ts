import type { Changes, Orphan } from '@factory/contracts';
import type { MissingVms } from './missing-vms.ts';
import type { SchedulerState } from './state.ts';

/** What executors have found on their hosts, and no task speaks for; kept as they told it last. */
export class OrphanList {
  readonly #state: SchedulerState;
  readonly #missing: MissingVms;
  readonly #byAgent = new Map<string, readonly Orphan[]>();

  constructor(state: SchedulerState, missing: MissingVms) {
    this.#state = state;
    this.#missing = missing;
  }

  /** All that an agent's executor has found. One that is missing is found by this, and bound to it. */
  told(agentId: string, orphans: readonly Orphan[]): void {
    for (const { vmId } of orphans) this.#missing.isOnHost(vmId, agentId);
    if (orphans.length === 0) this.#byAgent.delete(agentId);
    else this.#byAgent.set(agentId, orphans);
  }

  /** Those that nobody will come for: what is bound to its agent is launched there again. */
  all(): NonNullable<Changes['orphans']> {
    return [...this.#byAgent].flatMap(([agentId, orphans]) =>
      orphans
        .filter(({ vmId }) => this.#state.vm(vmId)?.boundAgentId !== agentId)
        .map((orphan) => ({ ...orphan, agentId })),
    );
  }
}
