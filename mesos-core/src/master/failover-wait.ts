/** A scheduler that was connected to the last master needs so long to find and reach this one. */
const FIND_MASTER_MS = 10_000;

/**
 * How long a new master waits for a framework of an earlier one, in milliseconds. It can't know when the
 * scheduler went, so the framework's `failover_timeout` counts from the master's own start. Without
 * one (the default is 0) a framework ends with its connection, but a connection that broke with the
 * old master says nothing of the scheduler: it has as long as agents have to come back. Pure.
 */
export function failoverWaitMs(
  failoverTimeoutSeconds: number,
  { agentReregisterTimeoutMs }: { readonly agentReregisterTimeoutMs: number },
): number {
  if (failoverTimeoutSeconds <= 0) return agentReregisterTimeoutMs;
  return Math.max(failoverTimeoutSeconds * 1000, FIND_MASTER_MS);
}
