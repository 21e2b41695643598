import type { VmCounters } from './rates.ts';

/** What the guests of this host use. */
export interface StatsPort {
  /**
   * The counters of all guests that are on, in one call, those of strangers included; a guest that is
   * busy with another job may be left out.
   * @throws VmFailure
   */
  collect(): Promise<readonly VmCounters[]>;
}
