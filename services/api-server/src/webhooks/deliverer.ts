import type { Clock, Logger, Random } from '@factory/runtime';
import { showEvent } from '../events/show.ts';
import type { Duty } from '../jobs/work.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { WebhookCaller } from './call.ts';
import { afterFailure, afterTaken, isTaken, nextDelivery } from './rules.ts';
import type { WebhookRecord } from './store.ts';

/** Calls at a time of one api-server. */
const LANES = 8;
/** Longer than a call may take. */
const LEASE_MS = 60_000;
const SLICE_MAX = 500;
const KEPT_MS = 7 * 24 * 3_600_000;

export interface DelivererParts {
  readonly store: Pick<ApiStore, 'webhooks' | 'events'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly caller: WebhookCaller;
  /** Who can't leaves it to others. */
  readonly canSend: boolean;
}

/**
 * Sends events to webhooks, each one's in order and one call at a time. What is due is in the store
 * alone: any api-server finds it, when it is woken by events and at every sweep.
 */
export class WebhookDeliverer implements Duty {
  readonly name = 'webhooks';
  readonly #parts: DelivererParts;
  readonly #ending = new AbortController();
  readonly #lanes = new Set<Promise<void>>();

  constructor(parts: DelivererParts) {
    this.#parts = parts;
  }

  /** Looks for what is due. */
  wake(): void {
    if (!this.#parts.canSend || this.#ending.signal.aborted) return;
    if (this.#lanes.size >= LANES) return;
    const lane = this.#run().catch((error: unknown) => {
      this.#parts.logger.warn({ err: error }, 'webhooks wait for the next sweep');
    });
    this.#lanes.add(lane);
    void lane.finally(() => this.#lanes.delete(lane));
  }

  async sweep(nowMs: number): Promise<void> {
    this.wake();
    await this.#parts.store.webhooks.forgetDeliveries(nowMs - KEPT_MS);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#lanes);
  }

  /** Works as long as there is work, beside others of its kind. */
  async #run(): Promise<void> {
    const { store, clock } = this.#parts;
    while (!this.#ending.signal.aborted) {
      const nowMs = clock.nowMs();
      const webhook = await store.webhooks.claim(nowMs, nowMs + LEASE_MS);
      if (webhook === undefined) return;
      // There may be more: another lane looks while this one waits for the receiver.
      this.wake();
      await this.#deliver(webhook);
    }
  }

  async #deliver(webhook: WebhookRecord): Promise<void> {
    const { store, clock, random, caller } = this.#parts;
    const slice = await store.events.after(webhook.projectId, webhook.cursorSeq, SLICE_MAX);
    const { events, cursorSeq } = nextDelivery(slice, webhook.types, webhook.cursorSeq);
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) {
      const standing = afterTaken(cursorSeq, clock.nowMs());
      return store.webhooks.settle(webhook, standing, undefined);
    }
    const delivery = `${webhook.id}-${first.seq}-${last.seq}`;
    const { signal } = this.#ending;
    const outcome = await caller.call(webhook, events.map(showEvent), delivery, signal);
    // Broken off by us: the lease runs out, and another api-server sends it.
    if (signal.aborted) return;
    const nowMs = clock.nowMs();
    await store.webhooks.settle(
      webhook,
      isTaken(outcome)
        ? afterTaken(cursorSeq, nowMs)
        : afterFailure(webhook, outcome, nowMs, random.next()),
      {
        ...{ webhookId: webhook.id, atMs: nowMs, events: events.length, ...outcome },
        ...{ firstSeq: first.seq, lastSeq: last.seq },
      },
    );
  }
}
