import { type Clock, createLimiter, type Timer } from '@factory/runtime';

/**
 * Runs `work` when its turn comes. The turn ends with the work, or before: when the work calls
 * `leave`, when the signal aborts, or when the work takes so long that it must hang in something.
 * The work goes on then, and nobody waits for it any more.
 * @throws the signal's reason when it aborts before the turn.
 */
export type Turns = <T>(signal: AbortSignal, work: (leave: () => void) => Promise<T>) => Promise<T>;

/** A disk, a seed, taps and a domain take 0.2 s of a busy host; storage that hangs takes for ever. */
const MAKING_TURN_MS = 3_000;
/** A domain starts in 0.3 to 3 s on a host that emulates. */
const POWER_ON_TURN_MS = 15_000;

/**
 * The turns of a host on which `powerOnsMax` guests are powered on at a time. No more are made at a
 * time: the first of a batch is not to wait until the last is made.
 */
export function turnsOfHost(powerOnsMax: number, clock: Clock) {
  const turns = { max: powerOnsMax, clock };
  return {
    makings: createTurns({ ...turns, longestMs: MAKING_TURN_MS }),
    powerOns: createTurns({ ...turns, longestMs: POWER_ON_TURN_MS }),
  };
}

export interface TurnsOptions {
  /** Turns at a time; whoever comes then waits in order of arrival. */
  readonly max: number;
  /** What takes longer keeps its turn no longer: it waits, and does not use the processor. */
  readonly longestMs: number;
  readonly clock: Clock;
}

/** Shares the processors of a host out, so that what hangs holds up nobody else. */
export function createTurns({ max, longestMs, clock }: TurnsOptions): Turns {
  const limiter = createLimiter(max);
  return async (signal, work) => {
    signal.throwIfAborted();
    const turn = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    let timer: Timer | undefined;
    const giveUp = (): void => {
      over.resolve();
      turn.reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    // In the queue, a turn that was given up is passed over when it is reached.
    const place = limiter(() => {
      timer = clock.after(longestMs, over.resolve);
      turn.resolve();
      return over.promise;
    });
    void place.then(() => timer?.cancel());
    try {
      await turn.promise;
      return await work(over.resolve);
    } finally {
      signal.removeEventListener('abort', giveUp);
      over.resolve();
    }
  };
}
