import type { Logger } from '@factory/runtime';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import { decideReassignment, UNCLAIMED_MS } from './reassign.ts';
import type { PlanningService } from './service.ts';

/** Takes back what silent clusters have not claimed, and has it planned elsewhere at once. */
export class ReassignService implements Duty {
  readonly name = 'taking back from silent clusters';
  readonly #store: Pick<ApiStore, 'planning'>;
  readonly #planning: Pick<PlanningService, 'planWaiting'>;
  readonly #logger: Logger;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'planning'>;
    readonly planning: Pick<PlanningService, 'planWaiting'>;
    readonly logger: Logger;
  }) {
    this.#store = parts.store;
    this.#planning = parts.planning;
    this.#logger = parts.logger;
  }

  async sweep(nowMs: number): Promise<void> {
    const { planning } = this.#store;
    const beforeMs = nowMs - UNCLAIMED_MS;
    let isPlanningDue = false;
    for (const clusterId of await planning.silentClusters(beforeMs)) {
      const taken = await planning.takeBack({ clusterId, beforeMs, nowMs }, decideReassignment);
      if (taken.vms + taken.shares === 0) continue;
      this.#logger.warn({ clusterId, ...taken }, 'took back what a silent cluster did not claim');
      isPlanningDue = true;
    }
    if (isPlanningDue) await this.#planning.planWaiting(nowMs);
  }
}
