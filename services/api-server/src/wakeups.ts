import type { Clock } from '@factory/runtime';
import type { ApiStore } from './store/api-store.ts';

/** A view on the changes of one thing, from the moment it was opened. */
export interface Watch {
  /**
   * Resolves at the next change: at once when there was one since the last call. `false` after
   * `timeoutMs`, when `signal` aborts, and when the hub closes.
   */
  next(timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  close(): void;
}

interface Waiter {
  isWoken: boolean;
  resolve: ((isWoken: boolean) => void) | undefined;
}

/** Wakes long polls when the store says that what they wait for has changed. */
export class WakeHub {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #unsubscribe: () => void;
  #isClosed = false;

  constructor(store: Pick<ApiStore, 'subscribe'>, clock: Clock) {
    this.#clock = clock;
    this.#unsubscribe = store.subscribe((wake) => {
      const ids =
        wake === undefined
          ? [...this.#waiters.keys()]
          : [...wake.clusters, ...wake.batches, ...wake.operations];
      for (const id of ids) this.wake(id);
    });
  }

  /** Whether long polls should answer with what they have. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Watches a cluster, a batch, an operation or a project's events. Open it before reading what may change. */
  watch(id: string): Watch {
    const waiter: Waiter = { isWoken: false, resolve: undefined };
    const waiters = this.#waiters.get(id) ?? new Set();
    this.#waiters.set(id, waiters.add(waiter));
    return {
      next: (timeoutMs, signal) => this.#next(waiter, timeoutMs, signal),
      close: () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
      },
    };
  }

  /** Lets all long polls answer at once. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const waiters of this.#waiters.values()) {
      for (const waiter of waiters) waiter.resolve?.(false);
    }
  }

  /** Wakes those that watch this. */
  wake(id: string): void {
    for (const waiter of this.#waiters.get(id) ?? []) {
      waiter.isWoken = true;
      waiter.resolve?.(true);
    }
  }

  async #next(waiter: Waiter, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!waiter.isWoken && timeoutMs > 0 && !this.#isClosed && signal?.aborted !== true) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const giveUp = (): void => resolve(false);
      const timer = this.#clock.after(timeoutMs, giveUp);
      signal?.addEventListener('abort', giveUp, { once: true });
      waiter.resolve = resolve;
      await promise;
      waiter.resolve = undefined;
      timer.cancel();
      signal?.removeEventListener('abort', giveUp);
    }
    const isWoken = waiter.isWoken;
    waiter.isWoken = false;
    return isWoken;
  }
}
