import type { VmId, VmSample } from '@factory/contracts';

/** What a guest has used since it was powered on, and what it has now. */
export interface VmCounters {
  readonly vmId: VmId;
  readonly cpuTimeNs: number;
  readonly memoryMiB: number;
  /** 0 where it is not known. */
  readonly residentMiB: number;
  readonly diskReadBytes: number;
  readonly diskWriteBytes: number;
  readonly diskReads: number;
  readonly diskWrites: number;
  readonly netReceivedBytes: number;
  readonly netSentBytes: number;
  readonly netReceivedPackets: number;
  readonly netSentPackets: number;
}

/** All counters at one moment. */
export interface CountersSeen {
  /** On the monotonic clock, for intervals. */
  readonly monotonicMs: number;
  /** On the wall clock, to tell people. */
  readonly nowMs: number;
  readonly vms: readonly VmCounters[];
}

const GROWING = [
  'cpuTimeNs',
  'diskReadBytes',
  'diskWriteBytes',
  'diskReads',
  'diskWrites',
  'netReceivedBytes',
  'netSentBytes',
  'netReceivedPackets',
  'netSentPackets',
] as const satisfies readonly (keyof VmCounters)[];
type Growing = (typeof GROWING)[number];

const NS_PER_S = 1e9;
const MS_PER_S = 1_000;

/**
 * What each guest used between two looks; those that were not seen twice are left out, and so are
 * those of which a counter has gone back: the guest was powered on anew, or lost a device, and what it
 * used since is not known. Pure.
 */
export function samplesBetween(before: CountersSeen, after: CountersSeen): readonly VmSample[] {
  const seconds = (after.monotonicMs - before.monotonicMs) / MS_PER_S;
  if (seconds <= 0) return [];
  const earlier = new Map(before.vms.map((vm) => [vm.vmId, vm]));
  return after.vms.flatMap((now) => {
    const then = earlier.get(now.vmId);
    if (then === undefined || GROWING.some((name) => now[name] < then[name])) return [];
    const rate = (name: Growing): number => (now[name] - then[name]) / seconds;
    return [
      {
        vmId: now.vmId,
        atMs: after.nowMs,
        cpuPercent: (rate('cpuTimeNs') / NS_PER_S) * 100,
        memoryMiB: now.memoryMiB,
        residentMiB: now.residentMiB,
        diskReadBytes: rate('diskReadBytes'),
        diskWriteBytes: rate('diskWriteBytes'),
        diskReads: rate('diskReads'),
        diskWrites: rate('diskWrites'),
        netReceivedBytes: rate('netReceivedBytes'),
        netSentBytes: rate('netSentBytes'),
        netReceivedPackets: rate('netReceivedPackets'),
        netSentPackets: rate('netSentPackets'),
      },
    ];
  });
}
