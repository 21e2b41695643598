import type { VmSample } from '@factory/contracts';
import { type Clock, type Logger, sleep } from '@factory/runtime';

export interface UseReporterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  /** What machines use, of the vm-scheduler. */
  readonly read: () => Promise<readonly VmSample[]>;
  /** Gives it to the api-server. */
  readonly report: (samples: readonly VmSample[]) => Promise<void>;
}

/**
 * Tells the api-server at every interval what the cluster's machines use. Beside the exchange, which
 * must not wait for it; what does not arrive is not repeated, as newer news follow.
 */
export async function reportUse(
  { clock, logger, intervalMs, read, report }: UseReporterOptions,
  onRead: (samples: readonly VmSample[]) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const samples = await read();
      onRead(samples);
      await report(samples);
    } catch (error) {
      logger.debug({ err: error }, 'what machines use was not reported');
    }
    // The only way to be woken early is to be told to end.
    await sleep(clock, intervalMs, signal).catch(() => undefined);
  }
}
