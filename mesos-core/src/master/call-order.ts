import { atTurnEnd } from '@factory/runtime';

/** A long piece of work; where it yields, others may have their turn. */
export type Slices = Generator<undefined, void>;

/** Begins a call; gives what it leaves to be done, if it is long. */
type Begin = () => Slices | undefined;

interface Unfinished {
  slices: Slices | undefined;
  /** Calls that came meanwhile. */
  readonly waiting: Begin[];
}

/** Of calls that waited, so many are carried out in one turn of the event loop. */
const CALLS_PER_TURN = 20;
/** With more than this waiting the work goes on at once: it comes in faster than it is done. */
const WAITING_MAX = 1000;

/**
 * Carries out calls: at once, but for those that take long. They go on in later turns of the event
 * loop, and later calls of the same caller wait for them.
 */
export class CallOrder {
  readonly #unfinished = new Map<string, Unfinished>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told of what a call throws after its first slice. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @throws what the call throws before it yields. */
  run(caller: string, begin: Begin): void {
    const unfinished = this.#unfinished.get(caller);
    if (unfinished === undefined) {
      const slices = begin();
      if (slices === undefined || slices.next().done === true) return;
      this.#unfinished.set(caller, { slices, waiting: [] });
      this.#goOnSoon(caller);
      return;
    }
    unfinished.waiting.push(begin);
    while (unfinished.waiting.length > WAITING_MAX) this.#step(unfinished);
  }

  #goOnSoon(caller: string): void {
    atTurnEnd(() => {
      const unfinished = this.#unfinished.get(caller);
      if (unfinished === undefined) return;
      this.#goOn(unfinished);
      const isDone = unfinished.slices === undefined && unfinished.waiting.length === 0;
      if (isDone) this.#unfinished.delete(caller);
      else this.#goOnSoon(caller);
    });
  }

  /** One slice of a long call, or some short ones. */
  #goOn(unfinished: Unfinished): void {
    for (let calls = 0; calls < CALLS_PER_TURN; calls += 1) {
      const wasLong = unfinished.slices !== undefined;
      this.#step(unfinished);
      if (wasLong || unfinished.slices !== undefined) return;
    }
  }

  #step(unfinished: Unfinished): void {
    try {
      unfinished.slices ??= unfinished.waiting.shift()?.();
      if (unfinished.slices?.next().done === true) unfinished.slices = undefined;
    } catch (error) {
      unfinished.slices = undefined;
      this.#onError(error);
    }
  }
}
