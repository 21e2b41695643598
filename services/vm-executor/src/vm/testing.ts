import type { HostAttribute } from '@factory/contracts';
import { createBell } from '../bell.ts';
import { createHostHardware } from '../hardware/host-hardware.ts';
import { createSimulatedHypervisor } from '../hypervisor/simulated.ts';
import type { SimulatedHost } from '../hypervisor/simulated-host.ts';
import { createMemoryPublisher } from '../images/publisher-memory.ts';
import { createTurns } from '../turns.ts';
import { createSimulatedVolumes } from '../volumes/simulated.ts';
import { observe } from './observe.ts';
import type { HostParts } from './planned.ts';
import type { VmSteps } from './procedures.ts';
import type { VmRecord } from './record.ts';

/** What an agent says of its host that has something to hand out. */
export const TEST_HARDWARE: readonly HostAttribute[] = [
  { name: 'gpu_devices', type: 'set', items: ['0000:3b:00.0', '0000:af:00.0'] },
  { name: 'gpu_model', type: 'text', text: 'A100' },
  { name: 'pinned_cpus', type: 'ranges', ranges: [[8, 15]] },
];

/** What the steps of one VM act on: a simulated host, with the clock and storage of the test. */
export function testSteps(
  host: SimulatedHost,
  start: Pick<VmSteps, 'clock' | 'storage'> & { readonly record: VmRecord },
): VmSteps {
  const { clock, storage } = start;
  let { record } = start;
  let parts: HostParts = {};
  const hardware = createHostHardware({ reader: host.hardware, grants: host.hardware });
  hardware.identify(TEST_HARDWARE);
  return {
    clock,
    storage,
    hypervisor: createSimulatedHypervisor(host),
    network: host.network,
    externals: { choose: (keep) => keep('192.0.2.1') },
    parts: () => parts,
    provide: (more) => {
      parts = { ...parts, ...more };
    },
    volumes: createSimulatedVolumes(host.sharedStorage, clock, 'host-1'),
    hardware,
    images: createMemoryPublisher(host),
    tell: () => undefined,
    leaveTurn: () => undefined,
    powerOns: createTurns({ max: 1, longestMs: 1_000, clock }),
    powerOff: { graceMs: 100, pressAgainMs: 50 },
    bell: createBell(clock),
    record: () => record,
    observe: (change) => {
      record = observe(record, change, clock.nowMs());
    },
    amend: (change) => {
      record = change(record);
    },
    save: () => storage.writeRecord(record, { durable: true }),
  };
}
