import type { VmSample } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { MetricsHistory } from './history.ts';

const HOUR_MS = 3_600_000;
const one = testVmId(1);

const sampleAt = (atMs: number, cpuPercent: number, vmId = one): VmSample => ({
  ...{ vmId, atMs, cpuPercent, memoryMiB: 64, residentMiB: 32.25 },
  ...{ diskReadBytes: 1, diskWriteBytes: 2, diskReads: 3, diskWrites: 4 },
  ...{ netReceivedBytes: 5, netSentBytes: 6, netReceivedPackets: 7, netSentPackets: 8 },
});
const isKept = (): boolean => true;

describe('what machines used', () => {
  it('is kept as it was measured, to a tenth', () => {
    const history = new MetricsHistory();
    history.add([sampleAt(20_000, 12.34)], isKept);
    const { vmId: _, ...point } = sampleAt(20_000, 12.3);
    expect(history.of(one, 0)).toEqual([{ ...point, residentMiB: 32.3 }]);
    expect(history.of(testVmId(2), 0)).toEqual([]);
  });

  it('is kept for an hour, oldest first, and given from any moment on', () => {
    const history = new MetricsHistory();
    const endMs = 3 * HOUR_MS;
    for (let atMs = 0; atMs <= endMs; atMs += 15_000) history.add([sampleAt(atMs, 1)], isKept);
    const times = history.of(one, 0).map(({ atMs }) => atMs);
    expect(times).toHaveLength(HOUR_MS / 15_000);
    expect([times[0], times.at(-1)]).toEqual([endMs - HOUR_MS + 15_000, endMs]);
    expect(history.of(one, endMs - 30_000).map(({ atMs }) => atMs)).toEqual([
      endMs - 15_000,
      endMs,
    ]);
  });

  it('takes no more room when it is measured every second', () => {
    const history = new MetricsHistory();
    for (let atMs = 0; atMs <= 2 * HOUR_MS; atMs += 1_000) history.add([sampleAt(atMs, 1)], isKept);
    const points = history.of(one, 0);
    expect(points).toHaveLength(360);
    expect(points.at(-1)?.atMs).toBe(2 * HOUR_MS);
  });

  it('is forgotten with its machine', () => {
    const history = new MetricsHistory();
    const two = testVmId(2);
    history.add([sampleAt(0, 1), sampleAt(0, 1, two)], isKept);
    history.add([sampleAt(15_000, 1, two)], (vmId) => vmId === two);
    expect([history.of(one, -1).length, history.of(two, -1).length]).toEqual([0, 2]);
  });
});
