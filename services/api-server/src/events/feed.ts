import type { ProjectId } from '@factory/contracts';
import { type Clock, type Logger, sleep } from '@factory/runtime';
import type { WakeHub, Watch } from '../wakeups.ts';
import type { EventSlice, EventStore } from './store.ts';

/** Events of one reading: what a reader holds at a time. */
const PAGE_MAX = 500;
const SHARED_PAGES_MAX = 32;
/** Wakes that come closer together are one. */
const GATHER_MS = 20;

/**
 * Gives events to readers as they come. However many read a project, a wake costs one reading:
 * those that stand at the same place share it.
 */
export class EventFeed {
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wakes: WakeHub;
  readonly #readers = new Map<ProjectId, number>();
  readonly #heads = new Map<ProjectId, number>();
  readonly #pages = new Map<string, Promise<EventSlice>>();
  readonly #onNumbered = new Set<() => void>();
  readonly #ending = new AbortController();
  #unsubscribe: () => void = () => undefined;
  #isWoken = false;
  #working: Promise<void> | undefined;

  constructor(parts: {
    readonly store: EventStore;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly wakes: WakeHub;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#wakes = parts.wakes;
  }

  start(): void {
    this.#unsubscribe = this.#store.subscribe(() => this.wake());
  }

  /** Ends when the api-server does: whoever reads then reads on elsewhere. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Numbers what is new, soon, and wakes those that wait for it. */
  wake(): void {
    this.#isWoken = true;
    if (this.#ending.signal.aborted) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Numbers all that is there now: whoever reads after this finds it. */
  async number(): Promise<void> {
    await this.#store.number(this.#clock.nowMs());
    await this.#wakeReaders();
    for (const listener of this.#onNumbered) listener();
  }

  /** The number of a project's newest event. */
  async newest(projectId: ProjectId): Promise<number> {
    return (await this.#store.heads([projectId])).get(projectId) ?? 0;
  }

  /** Calls `listener` whenever there may be new events with numbers. */
  onNumbered(listener: () => void): () => void {
    this.#onNumbered.add(listener);
    return () => this.#onNumbered.delete(listener);
  }

  /** Watches a project's events. Open it before reading them. */
  watch(projectId: ProjectId): Watch {
    this.#readers.set(projectId, (this.#readers.get(projectId) ?? 0) + 1);
    const watch = this.#wakes.watch(projectId);
    return {
      next: (timeoutMs, signal) => watch.next(timeoutMs, signal),
      close: () => {
        watch.close();
        const left = (this.#readers.get(projectId) ?? 1) - 1;
        if (left > 0) this.#readers.set(projectId, left);
        else {
          this.#readers.delete(projectId);
          this.#heads.delete(projectId);
        }
      },
    };
  }

  /** The events after number `after`, as far as they have numbers; shared by all who ask the same. */
  async after(projectId: ProjectId, after: number | undefined): Promise<EventSlice> {
    const key = `${projectId} ${after}`;
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const page = this.#store.after(projectId, after, PAGE_MAX);
    if (this.#pages.size >= SHARED_PAGES_MAX) this.#pages.clear();
    if (this.#readers.has(projectId)) this.#pages.set(key, page);
    page.catch(() => this.#pages.delete(key));
    return page;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#unsubscribe();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { signal } = this.#ending;
    while (this.#isWoken && !signal.aborted) {
      this.#isWoken = false;
      try {
        await this.number();
      } catch (error) {
        // The next change wakes us again, and so does the sweep.
        this.#logger.warn({ err: error }, 'events could not be numbered');
      }
      await sleep(this.#clock, GATHER_MS, signal).catch(() => undefined);
    }
  }

  async #wakeReaders(): Promise<void> {
    this.#pages.clear();
    const projectIds = [...this.#readers.keys()];
    if (projectIds.length === 0) return;
    const heads = await this.#store.heads(projectIds);
    for (const [projectId, seq] of heads) {
      if (this.#heads.get(projectId) === seq) continue;
      if (this.#readers.has(projectId)) this.#heads.set(projectId, seq);
      this.#wakes.wake(projectId);
    }
  }
}
