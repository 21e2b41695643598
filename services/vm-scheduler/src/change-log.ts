import type { Clock } from '@factory/runtime';

/**
 * Who changed, in order of revision; answers "everything after revision N" without looking at what
 * did not change, and wakes those who wait for the next change. Only durable changes are published.
 */
export class ChangeLog {
  readonly #clock: Clock;
  /** Ascending by revision; an id's older entries are stale and skipped. */
  #entries: { readonly revision: number; readonly id: string }[] = [];
  readonly #newest = new Map<string, number>();
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The newest revision published. */
  get revision(): number {
    return this.#entries.at(-1)?.revision ?? 0;
  }

  /** Adds changes (ascending, above all before) and wakes the waiting. */
  publish(changes: readonly { readonly revision: number; readonly id: string }[]): void {
    for (const change of changes) {
      this.#entries.push(change);
      this.#newest.set(change.id, change.revision);
    }
    if (this.#entries.length > 2 * this.#newest.size + 1_000) this.#compact();
    if (changes.length > 0) this.wake();
  }

  /** Forgets an id that no longer exists. */
  remove(id: string): void {
    this.#newest.delete(id);
  }

  /**
   * Ids changed after `revision`, each once, oldest change first, at most `limit`; and the revision
   * to go on from.
   */
  after(revision: number, limit: number): { readonly ids: readonly string[]; next: number } {
    const ids: string[] = [];
    let next = revision;
    for (let index = this.#firstAfter(revision); index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry === undefined || ids.length >= limit) break;
      next = entry.revision;
      if (this.#newest.get(entry.id) === entry.revision) ids.push(entry.id);
    }
    return { ids, next };
  }

  /** Resolves at the next change after `revision`, or after `waitMs`. */
  async wait(revision: number, waitMs: number): Promise<void> {
    if (this.revision > revision || waitMs <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(waitMs, resolve);
    this.#waiters.add(resolve);
    await promise;
    timer.cancel();
    this.#waiters.delete(resolve);
  }

  /** Lets everybody who waits go. */
  wake(): void {
    for (const resolve of this.#waiters) resolve();
  }

  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    this.#entries = this.#entries.filter(({ id, revision }) => this.#newest.get(id) === revision);
  }
}
