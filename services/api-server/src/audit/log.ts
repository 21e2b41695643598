import type { AuditRecord, AuditStore } from './store.ts';

const INSERT_MAX = 500;

interface Waiting {
  readonly record: AuditRecord;
  readonly done: PromiseWithResolvers<void>;
}

/** Writes records as they come; those that come while one insert is under way share the next. */
export class AuditLog {
  readonly #store: Pick<AuditStore, 'append'>;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(store: Pick<AuditStore, 'append'>) {
    this.#store = store;
  }

  /** Resolves when the record is kept. @throws when the store can't keep it */
  async write(record: AuditRecord): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ record, done });
    if (!this.#isWriting) void this.#writeAll();
    return done.promise;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const now = this.#waiting.slice(0, INSERT_MAX);
      this.#waiting = this.#waiting.slice(INSERT_MAX);
      try {
        await this.#store.append(now.map(({ record }) => record));
        for (const { done } of now) done.resolve();
      } catch (error) {
        for (const { done } of now) done.reject(error);
      }
    }
    this.#isWriting = false;
  }
}
