import { EXECUTOR_HEARTBEAT_INTERVAL_MS } from '@factory/contracts';
import type { Clock } from '@factory/runtime';

/** A host whose executor missed this many heartbeats is silent. */
const MISSED_HEARTBEATS_MAX = 3;

/** Knows which hosts have not been heard from. */
export class HostSilence {
  readonly #clock: Clock;
  /** When each agent's executor was last heard, on the monotonic clock. */
  readonly #heardAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The agent's executor has said something. */
  heard(agentId: string): void {
    this.#heardAtMs.set(agentId, this.#clock.monotonicMs());
  }

  /** Whether the agent's executor was heard lately. */
  isHeard(agentId: string): boolean {
    const heardAtMs = this.#heardAtMs.get(agentId);
    const limitMs = MISSED_HEARTBEATS_MAX * EXECUTOR_HEARTBEAT_INTERVAL_MS;
    return heardAtMs !== undefined && this.#clock.monotonicMs() - heardAtMs <= limitMs;
  }

  /** Those of `agentIds` that are silent. The silence of new ones counts from here. */
  silentOf(agentIds: readonly string[]): readonly string[] {
    const nowMs = this.#clock.monotonicMs();
    const limitMs = MISSED_HEARTBEATS_MAX * EXECUTOR_HEARTBEAT_INTERVAL_MS;
    return agentIds.filter((agentId) => {
      const heardAtMs = this.#heardAtMs.get(agentId);
      if (heardAtMs === undefined) this.#heardAtMs.set(agentId, nowMs);
      return heardAtMs !== undefined && nowMs - heardAtMs > limitMs;
    });
  }
}
