import { atTurnEnd, type Clock } from '@factory/runtime';

/** Work on requests goes on for so long; then timers, sockets and other work have their turn. */
const TURN_MS = 5;

type Task = () => void;

/**
 * With more than this waiting the oldest are done before anything else is read: who sends without
 * waiting for answers fills the kernel's buffers then, not our memory.
 */
const WAITING_MAX = 1000;

/**
 * Does what requests ask for in portions. One turn of the event loop reads from every connection
 * that has sent something: with a hundred requests pipelined on each of ten connections all of them
 * were carried out before the next timer, 80 to 300 ms later. The order is that in which they came.
 */
export class Turns {
  readonly #clock: Clock;
  /** From `#next` on; what is before it is done. */
  #waiting: Task[] = [];
  #next = 0;
  #endsAtMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `work` now or, when this turn is used up, in one of the next; gives what it gives. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.do(() => resolve(work()));
    return promise;
  }

  /** Calls `work`, which throws nothing, now or in one of the next turns. */
  do(work: Task): void {
    if (this.#count === 0 && this.#isTimeLeft()) {
      work();
      return;
    }
    this.#waiting.push(work);
    while (this.#count > WAITING_MAX) this.#doOldest();
  }

  get #count(): number {
    return this.#waiting.length - this.#next;
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
    while (this.#count > 0 && this.#isTimeLeft()) this.#doOldest();
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }

  #doOldest(): void {
    const task = this.#waiting[this.#next];
    this.#next += 1;
    task?.();
  }
}
