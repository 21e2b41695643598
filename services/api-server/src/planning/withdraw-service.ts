import type { VmId } from '@factory/contracts';
import type { Logger } from '@factory/runtime';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import { chooseWithdrawn, STUCK_MS } from './withdraw.ts';

/** The cluster answers by a report; without one it is asked again after this time. */
const ASK_AGAIN_MS = 60_000;
/** Machines that one sweep looks at. */
const LOOKED_AT_MAX = 2_000;

/** Asks full clusters for machines that others have room for. */
export class WithdrawService implements Duty {
  readonly name = 'asking full clusters for machines';
  readonly #store: Pick<ApiStore, 'planning'>;
  readonly #logger: Logger;
  #askedAtMs = new Map<VmId, number>();

  constructor(parts: { readonly store: Pick<ApiStore, 'planning'>; readonly logger: Logger }) {
    this.#store = parts.store;
    this.#logger = parts.logger;
  }

  async sweep(nowMs: number): Promise<void> {
    const { planning } = this.#store;
    const asked = [...this.#askedAtMs].filter(([, atMs]) => nowMs - atMs < ASK_AGAIN_MS);
    this.#askedAtMs = new Map(asked);
    for (const { batch, vms } of await planning.stuck(nowMs - STUCK_MS, LOOKED_AT_MAX)) {
      const waiting = vms.filter(({ id }) => !this.#askedAtMs.has(id));
      const snapshot = await planning.preview(batch, nowMs);
      const chosen = chooseWithdrawn(snapshot, waiting);
      if (chosen.length === 0) continue;
      await planning.askBack(chosen);
      for (const { id } of chosen) this.#askedAtMs.set(id, nowMs);
      this.#logger.info({ batchId: batch.id, vms: chosen.length }, 'asked machines back');
    }
  }
}
