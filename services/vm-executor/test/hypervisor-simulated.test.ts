import { systemClock } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { createSimulatedHypervisor } from '../src/hypervisor/simulated.ts';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { testPlan } from '../src/testing.ts';
import { describeHypervisor } from './hypervisor-contract.ts';

describeHypervisor('simulated', async () => {
  const newHost = () =>
    new SimulatedHost({
      clock: systemClock,
      random: seededRandom(1),
      images: [],
      latency: { callMs: 0.1, powerOnMs: 1, guestBootMs: 1e9, guestShutdownMs: 1 },
    });
  const host = newHost();
  const hypervisor = createSimulatedHypervisor(host);
  const subnet = testSubnet(1);
  const taps: string[] = [];
  for (const number of [0, 1, 2, 3]) {
    const nic = testNic(subnet, number + 1);
    taps[number] = await host.network.plug(subnet, nic, AbortSignal.timeout(10_000));
  }
  const stranger = createSimulatedHypervisor(newHost());
  return {
    hypervisor,
    stranger,
    plan(number) {
      const plan = { ...testPlan(number), tapName: taps[number] ?? 'nowhere' };
      host.folders.set(plan.vmId, { record: undefined, hasDisk: true, hasSeed: true });
      return plan;
    },
    volumePath: '/volumes/late/disk.raw',
    kill: async (vmId) => host.endGuest(vmId, 'killed'),
    async close() {
      await hypervisor.close();
      await stranger.close();
    },
  };
});
