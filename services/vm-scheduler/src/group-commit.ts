/**
 * Group commit: while one write is under way, further changes gather and go out in the next one.
 * Everyone who staged something before a write began shares its outcome.
 */
export class GroupCommit {
  readonly #write: () => Promise<void>;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `write` takes all that is staged at the moment it is called. */
  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /**
   * Resolves when everything staged up to now is durable.
   * @throws what `write` throws; the writer keeps what it could not store for the next one.
   */
  commit(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) {
      this.#current = this.#run();
      return this.#current;
    }
    this.#next = this.#current
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        this.#current = this.#run();
        return this.#current;
      });
    return this.#next;
  }

  /** Resolves when the writes that are under way or next in line are done; throws as they do. */
  pending(): Promise<void> {
    return this.#next ?? this.#current ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    try {
      await this.#write();
    } finally {
      this.#current = undefined;
    }
  }
}
