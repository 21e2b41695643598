/** So many agents come back at once after a failover without a queue: a third of a second's work. */
const CROWD_COUNT = 1000;
const SPREAD_MS_PER_AGENT = 0.1;
const SPREAD_MAX_MS = 10_000;

/**
 * When another master leads, the agent waits at random up to so long before it subscribes there; told
 * at its subscription. None for the first thousand agents of a cluster; ten thousand come within 1 s, and are taken up in 3.
 */
export function resubscribeSpreadMs(agentCount: number): number {
  return Math.min(SPREAD_MAX_MS, Math.max(0, agentCount - CROWD_COUNT) * SPREAD_MS_PER_AGENT);
}
