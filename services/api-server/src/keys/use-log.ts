import type { Clock, Logger, Timer } from '@factory/runtime';

const WRITE_EVERY_MS = 30_000;

/**
 * Notes in memory when things were used last, and writes it in bulk every half minute: nobody waits
 * for it, and a crash forgets half a minute of it.
 */
export class UseLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #write: (uses: ReadonlyMap<string, number>) => Promise<void>;
  #uses = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(parts: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly write: (uses: ReadonlyMap<string, number>) => Promise<void>;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#write = parts.write;
  }

  note(id: string): void {
    this.#uses.set(id, this.#clock.nowMs());
    this.#timer ??= this.#clock.after(WRITE_EVERY_MS, () => void this.flush());
  }

  /** Writes what is noted. Never rejects: the next use is noted again. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const uses = this.#uses;
    if (uses.size === 0) return;
    this.#uses = new Map();
    await this.#write(uses).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'when keys were used last could not be noted');
    });
  }
}
