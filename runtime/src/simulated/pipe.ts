import type { Clock } from '../clock.ts';

/**
 * One direction of a connection, as TCP keeps it: what is sent arrives later and in order, or,
 * while the network is cut, not before it is healed.
 */
export class Pipe {
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #isCut: () => boolean;
  readonly #arrived: (() => void)[] = [];
  #lastDueMs = 0;

  constructor(clock: Clock, delayMs: () => number, isCut: () => boolean) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#isCut = isCut;
  }

  /** Calls `deliver` when it has travelled. */
  send(deliver: () => void): void {
    const nowMs = this.#clock.monotonicMs();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + this.#delayMs());
    this.#clock.after(this.#lastDueMs - nowMs, () => {
      this.#arrived.push(deliver);
      this.flush();
    });
  }

  /** Delivers what had to wait for the cut to heal. */
  flush(): void {
    while (!this.#isCut()) {
      const deliver = this.#arrived.shift();
      if (deliver === undefined) return;
      deliver();
    }
  }
}
