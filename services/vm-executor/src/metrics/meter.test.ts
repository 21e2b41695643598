import type { VmId, VmSample } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { Meter } from './meter.ts';
import type { VmCounters } from './rates.ts';

const INTERVAL_MS = 15_000;
const NOTHING = {
  ...{ memoryMiB: 128, residentMiB: 64, diskReadBytes: 0, diskWriteBytes: 0, diskReads: 0 },
  ...{ diskWrites: 0, netReceivedBytes: 0, netSentBytes: 0, netReceivedPackets: 0 },
  netSentPackets: 0,
};

/** A meter of guests that each use half a core. */
function open(count: number, isKept: (vmId: VmId) => boolean = () => true) {
  const clock = new VirtualClock();
  const sent: (readonly VmSample[])[] = [];
  const host = { calls: 0, isAway: false, hangs: false };
  const collect = async (): Promise<readonly VmCounters[]> => {
    host.calls += 1;
    if (host.isAway) throw new Error('the hypervisor is away');
    if (host.hangs) await new Promise(() => undefined);
    return Array.from({ length: count }, (_, number) => {
      const cpuTimeNs = (clock.monotonicMs() * 1e6) / 2;
      return { ...NOTHING, vmId: testVmId(number), cpuTimeNs };
    });
  };
  const meter = new Meter({
    ...{ clock, logger: silentLogger, isKept, intervalMs: INTERVAL_MS, stats: { collect } },
    send: async (samples) => void sent.push(samples),
  });
  meter.start();
  return { clock, meter, host, sent };
}

describe('looking at what guests use', () => {
  it('takes one call an interval, however many there are, and tells of all from the second on', async () => {
    const { clock, host, sent } = open(2_500);
    await clock.run(INTERVAL_MS - 1);
    expect([host.calls, sent.length]).toEqual([1, 0]);
    await clock.run(INTERVAL_MS);
    expect(host.calls).toBe(2);
    expect(sent.map((samples) => samples.length)).toEqual([1_000, 1_000, 500]);
    expect(sent[0]?.[0]?.cpuPercent).toBeCloseTo(50);
  });

  it('leaves out guests of others', async () => {
    const { clock, sent } = open(2, (vmId) => vmId === testVmId(1));
    await clock.run(INTERVAL_MS + 100);
    expect(sent.flat().map(({ vmId }) => vmId)).toEqual([testVmId(1)]);
  });

  it('goes on after a hypervisor that was away or did not answer, over the whole time between', async () => {
    const { clock, host, sent } = open(1);
    await clock.run(INTERVAL_MS + 100);
    host.isAway = true;
    await clock.run(INTERVAL_MS);
    Object.assign(host, { isAway: false, hangs: true });
    await clock.run(2 * INTERVAL_MS);
    host.hangs = false;
    await clock.run(3 * INTERVAL_MS);
    expect(sent.length).toBeGreaterThan(1);
    for (const [sample] of sent) expect(sample?.cpuPercent).toBeCloseTo(50);
  });

  it('ends when it is told to', async () => {
    const { clock, meter, host } = open(1);
    await clock.run(100);
    meter.close();
    await clock.run(10 * INTERVAL_MS);
    expect(host.calls).toBe(1);
  });
});
