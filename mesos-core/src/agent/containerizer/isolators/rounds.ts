import type { Clock, Logger, Timer } from '@factory/runtime';
import type { ContainerRecord, Limitation } from './isolator.ts';

interface Entry {
  readonly container: ContainerRecord;
  readonly exceeded: (limitation: Limitation) => void;
}

/** Looks at all watched containers in turn, again and again, one at a time. */
export class Rounds {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #intervalMs: number;
  readonly #look: (container: ContainerRecord) => Promise<Limitation | undefined>;
  readonly #entries = new Set<Entry>();
  #timer: Timer | undefined;
  #isInRound = false;

  constructor(
    options: { readonly clock: Clock; readonly logger: Logger },
    intervalMs: number,
    look: (container: ContainerRecord) => Promise<Limitation | undefined>,
  ) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#intervalMs = intervalMs;
    this.#look = look;
  }

  /** Watches one more, until it has exceeded a limit or the function that is given is called. */
  add(container: ContainerRecord, exceeded: (limitation: Limitation) => void): () => void {
    const entry = { container, exceeded };
    this.#entries.add(entry);
    this.#next();
    return () => {
      this.#entries.delete(entry);
      if (this.#entries.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #next(): void {
    if (this.#isInRound || this.#entries.size === 0) return;
    this.#timer ??= this.#clock.after(this.#intervalMs, () => void this.#round());
  }

  async #round(): Promise<void> {
    this.#timer = undefined;
    this.#isInRound = true;
    for (const entry of [...this.#entries]) {
      if (!this.#entries.has(entry)) continue;
      const limitation = await this.#tryLook(entry.container);
      if (limitation === undefined || !this.#entries.delete(entry)) continue;
      entry.exceeded(limitation);
    }
    this.#isInRound = false;
    this.#next();
  }

  async #tryLook(container: ContainerRecord): Promise<Limitation | undefined> {
    try {
      return await this.#look(container);
    } catch (err) {
      this.#logger.warn({ err, containerId: container.key }, "can't look at a container");
      return undefined;
    }
  }
}
