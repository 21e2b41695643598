/** How long sandboxes are kept. */
export interface GcPolicy {
  /** After the end of a run, on a disk with room. */
  readonly delayMs: number;
  /** Share of the disk (0 to 1) that is to stay free. */
  readonly diskHeadroom: number;
}

/** A sandbox whose run is over. */
export interface RetiredSandbox {
  readonly directory: string;
  /** Wall-clock time, in milliseconds. */
  readonly sinceMs: number;
}

/**
 * How old a sandbox may become while so much of the disk is used (0 to 1): the fuller, the less, and
 * nothing at all once the headroom is touched. Mesos' rule. Pure.
 */
export function maxAgeMs({ delayMs, diskHeadroom }: GcPolicy, diskUsage: number): number {
  return delayMs * Math.max(0, 1 - diskHeadroom - diskUsage);
}

/** The sandboxes to remove now, the oldest first. Pure. */
export function dueSandboxes(
  retired: readonly RetiredSandbox[],
  policy: GcPolicy,
  diskUsage: number,
  nowMs: number,
): readonly RetiredSandbox[] {
  const limitMs = maxAgeMs(policy, diskUsage);
  return retired
    .filter(({ sinceMs }) => nowMs - sinceMs >= limitMs)
    .toSorted((a, b) => a.sinceMs - b.sinceMs);
}
