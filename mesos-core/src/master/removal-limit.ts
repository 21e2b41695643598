import type { Clock } from '@factory/runtime';
import { parseDurationMs } from '../protocol/index.ts';

/** So many agents may become unreachable in so much time. */
export interface RemovalRate {
  readonly count: number;
  readonly periodMs: number;
}

/** Reads Mesos' form of it, `1/10mins`; `undefined` when it is none. */
export function parseRemovalRate(text: string): RemovalRate | undefined {
  const [, count, period] = /^(\d+)\/(.+)$/.exec(text) ?? [];
  const periodMs = parseDurationMs(period ?? '');
  if (count === undefined || periodMs === undefined || periodMs <= 0 || Number(count) < 1) return;
  return { count: Number(count), periodMs };
}

/**
 * Slows down how fast agents are declared unreachable: when many fall silent at once it is the network
 * that is broken, or this master, and time is what an operator needs (Mesos'
 * `--agent_removal_rate_limit`). As in Mesos a permit comes at a time, each an equal part of the
 * period after the last, to those that wait by then: what nobody waited for is not saved up.
 */
export class RemovalLimit {
  readonly #clock: Clock;
  readonly #rate: RemovalRate | undefined;
  #permits = 1;
  /** Who got none the last time. */
  #waiting = 0;
  #filledAtMs: number;

  /** Without a rate there is no limit. */
  constructor(clock: Clock, rate: RemovalRate | undefined) {
    this.#clock = clock;
    this.#rate = rate;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Takes up to `wanted` permits; gives how many there were. */
  take(wanted: number): number {
    if (this.#rate === undefined) return wanted;
    const { count, periodMs } = this.#rate;
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledAtMs) / periodMs) * count;
    this.#permits = Math.min(Math.max(1, this.#waiting), this.#permits + gained);
    this.#filledAtMs = nowMs;
    const taken = Math.min(wanted, Math.floor(this.#permits));
    this.#permits -= taken;
    this.#waiting = wanted - taken;
    return taken;
  }
}
