/** Runs a piece of work when its turn comes, and settles as the work does. */
export type Limiter = <T>(work: () => Promise<T>) => Promise<T>;

/** At most `max` pieces of work at a time; the others wait in order of arrival. */
export function createLimiter(max: number): Limiter {
  if (!Number.isInteger(max) || max < 1)
    throw new RangeError(`limit must be 1 or more, not ${max}`);
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < max) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // A slot is handed straight to the next in line, so a newcomer can't overtake it.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/** Runs work for a key. */
export type Keyed = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/** Work for one key runs once at a time, in order of arrival; different keys run side by side. */
export function keyedMutex(): Keyed {
  const queues = new Map<string, { limiter: Limiter; users: number }>();
  return async (key, work) => {
    const queue = queues.get(key) ?? { limiter: createLimiter(1), users: 0 };
    queues.set(key, queue);
    queue.users += 1;
    try {
      return await queue.limiter(work);
    } finally {
      queue.users -= 1;
      if (queue.users === 0) queues.delete(key);
    }
  };
}

/** Callers that ask for the same key while `load` runs share its one result (or its error). */
export function singleFlight<T>(): (key: string, load: () => Promise<T>) => Promise<T> {
  const flights = new Map<string, Promise<T>>();
  return (key, load) => {
    const current = flights.get(key);
    if (current !== undefined) return current;
    const flight = Promise.resolve()
      .then(load)
      .finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
}
