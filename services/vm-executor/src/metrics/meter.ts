import { SAMPLES_PER_MESSAGE_MAX, type VmId, type VmSample } from '@factory/contracts';
import { type Clock, type Logger, type Timer, withDeadline } from '@factory/runtime';
import type { StatsPort } from './port.ts';
import { type CountersSeen, samplesBetween } from './rates.ts';

const COLLECT_TIMEOUT_MS = 10_000;

export interface MeterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: StatsPort;
  readonly intervalMs: number;
  readonly isKept: (vmId: VmId) => boolean;
  /** Told again at the next interval: what is lost is not missed. */
  readonly send: (samples: readonly VmSample[]) => Promise<void>;
}

/** Looks at what the guests use, at every interval, and tells what they used since the last look. */
export class Meter {
  readonly #options: MeterOptions;
  #before: CountersSeen | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#look()
      .catch((error: unknown) => {
        // A hypervisor that is away is told of elsewhere.
        this.#options.logger.debug({ err: error }, 'what the guests use was not seen');
      })
      .finally(() => {
        const { clock, intervalMs } = this.#options;
        if (!this.#isClosed) this.#timer = clock.after(intervalMs, () => this.start());
      });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { clock, stats, isKept, send } = this.#options;
    const collect = () => stats.collect();
    const all = await withDeadline(clock, 'collecting statistics', COLLECT_TIMEOUT_MS, collect);
    const vms = all.filter(({ vmId }) => isKept(vmId));
    const after = { monotonicMs: clock.monotonicMs(), nowMs: clock.nowMs(), vms };
    const samples = this.#before === undefined ? [] : samplesBetween(this.#before, after);
    this.#before = after;
    for (let from = 0; from < samples.length; from += SAMPLES_PER_MESSAGE_MAX) {
      await send(samples.slice(from, from + SAMPLES_PER_MESSAGE_MAX));
    }
  }
}
