import { type ClusterId, LINK_LIMITS } from '@factory/contracts';

/** Two long polls and some: a cluster that lost one answer is not silent. */
export const SILENT_AFTER_MS = 2 * LINK_LIMITS.waitMsMax + 10_000;

/** Clusters that are silent at present, each with the moment of its last word. */
export type Silence = ReadonlyMap<ClusterId, number>;

/** Whether the cluster has been heard of lately; only such clusters get new machines. */
export function isConnected(lastSeenAtMs: number | null, nowMs: number): boolean {
  return lastSeenAtMs !== null && nowMs - lastSeenAtMs <= SILENT_AFTER_MS;
}
