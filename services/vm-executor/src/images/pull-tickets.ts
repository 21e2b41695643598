import type { Clock, Logger } from '@factory/runtime';

/** A copy that got no ticket in this time begins without: nobody may be there who gives any. */
const WAIT_MAX_MS = 30_000;

/** Leave to copy images from shared storage, which the scheduler gives to so many at a time. */
export interface PullTickets {
  /** Resolves when the copy of `version` may begin. */
  wait(version: string): Promise<void>;
  grant(versions: readonly string[]): void;
  /** Versions that wait. */
  waiting(): ReadonlySet<string>;
  /** Called when one begins to wait. */
  onWait(listener: () => void): void;
}

/** Tickets that `grant` gives; nothing waits for ever. */
export function createPullTickets(options: {
  readonly clock: Clock;
  readonly logger: Logger;
}): PullTickets {
  const { clock, logger } = options;
  const begins = new Map<string, () => void>();
  let onWait: () => void = () => undefined;
  return {
    async wait(version) {
      const { promise, resolve } = Promise.withResolvers<void>();
      begins.set(version, resolve);
      const timer = clock.after(WAIT_MAX_MS, () => {
        logger.warn({ version }, 'no ticket came for the copy of an image; it begins without');
        resolve();
      });
      onWait();
      await promise;
      timer.cancel();
      begins.delete(version);
    },
    grant(versions) {
      for (const version of versions) begins.get(version)?.();
    },
    waiting: () => new Set(begins.keys()),
    onWait(listener) {
      onWait = listener;
    },
  };
}
