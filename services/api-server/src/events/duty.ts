import type { Duty } from '../jobs/work.ts';
import type { EventFeed } from './feed.ts';
import type { EventLimits, EventStore } from './store.ts';

const LIMITS: EventLimits = { keptMs: 7 * 24 * 3_600_000, keptMax: 2_000_000 };
const FORGET_EVERY_MS = 10 * 60_000;

/** Tells of clusters that fell silent, numbers what nobody has been woken for, and forgets the old. */
export class EventDuty implements Duty {
  readonly name = 'events';
  readonly #store: EventStore;
  readonly #feed: EventFeed;
  readonly #silentAfterMs: number;
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  constructor(store: EventStore, feed: EventFeed, silentAfterMs: number) {
    this.#store = store;
    this.#feed = feed;
    this.#silentAfterMs = silentAfterMs;
  }

  async sweep(nowMs: number): Promise<void> {
    await this.#store.tellOfClusters(nowMs - this.#silentAfterMs);
    await this.#feed.number();
    if (nowMs - this.#forgotAtMs < FORGET_EVERY_MS) return;
    this.#forgotAtMs = nowMs;
    await this.#store.forget(nowMs, LIMITS);
  }
}
