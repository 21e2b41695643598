import type { Limiter } from '@factory/runtime';

/**
 * Runs `work` when its turn comes. The place is given up when the signal aborts: while waiting, or
 * while the work, which may hang, goes on; nobody else waits for that.
 * @throws the signal's reason when it aborts before the turn.
 */
export async function inTurn<T>(
  limiter: Limiter,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const turn = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const giveUp = (): void => {
    over.resolve();
    turn.reject(signal.reason);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  const place = limiter(() => {
    turn.resolve();
    return over.promise;
  });
  try {
    await turn.promise;
    return await work();
  } finally {
    signal.removeEventListener('abort', giveUp);
    over.resolve();
    // Waits for nothing when the place was given up in the queue: it is passed over when reached.
    place.catch(() => undefined);
  }
}
