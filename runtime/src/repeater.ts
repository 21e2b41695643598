import type { Clock, Timer } from './clock.ts';

/** Work that is done again and again, never beside itself. */
export interface Repeater {
  start(): void;
  /** Does not begin it again; what is under way goes on to its end. */
  close(): void;
}

/** Does `work` first after `intervalMs`, and again that long after it has ended or failed. */
export function createRepeater(options: {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly work: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}): Repeater {
  const { clock, intervalMs, work, onError } = options;
  let timer: Timer | undefined;
  let isClosed = false;
  const start = (): void => {
    if (isClosed) return;
    timer = clock.after(intervalMs, () => void work().catch(onError).finally(start));
  };
  return {
    start,
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
