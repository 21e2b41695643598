import { atTurnEnd, type Clock } from '@factory/runtime';

/** Work on requests goes on for so long; then timers, sockets and other work have their turn. */
const TURN_MS = 5;

type Task = () => void;

/**
 * Does what requests ask for in portions. One turn of the event loop reads from every connection
 * that has sent something: with a hundred requests pipelined on each of ten connections all of them
 * were carried out before the next timer, 80 to 300 ms later. The order is that in which they came.
 */
export class Turns {
  readonly #clock: Clock;
  #waiting: Task[] = [];
  #endsAtMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `work` now or, when this turn is used up, in one of the next; gives what it gives. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#isTimeLeft()) return work();
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#waiting.push(() => resolve(work()));
    return promise;
  }

  #isTimeLeft(): boolean {
    if (this.#endsAtMs === undefined) this.#begin();
    return this.#clock.monotonicMs() < (this.#endsAtMs ?? 0);
  }

  #begin(): void {
    this.#endsAtMs = this.#clock.monotonicMs() + TURN_MS;
    atTurnEnd(() => this.#goOn());
  }

  #goOn(): void {
    this.#endsAtMs = undefined;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    let done = 0;
    while (done < waiting.length && this.#isTimeLeft()) {
      waiting[done]?.();
      done += 1;
    }
    this.#waiting = waiting.slice(done);
  }
}
