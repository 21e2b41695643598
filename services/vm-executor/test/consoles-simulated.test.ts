import { systemClock } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { createSimulatedConsoles } from '../src/console/simulated-consoles.ts';
import { createSimulatedHypervisor } from '../src/hypervisor/simulated.ts';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { createSimulatedStats } from '../src/metrics/simulated-stats.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { testPlan } from '../src/testing.ts';
import { describeConsoles } from './consoles-contract.ts';

describeConsoles('simulated', async () => {
  const host = new SimulatedHost({
    clock: systemClock,
    random: seededRandom(1),
    images: [],
    latency: { callMs: 0.1, powerOnMs: 1, guestBootMs: 1e9, guestShutdownMs: 1 },
  });
  const hypervisor = createSimulatedHypervisor(host);
  const subnet = testSubnet(1);
  const tapName = await host.network.plug(subnet, testNic(subnet, 1), AbortSignal.timeout(10_000));
  const plan = { ...testPlan(0), tapName, hasScreen: true };
  host.folders.set(plan.vmId, { record: undefined, hasDisk: true, hasSeed: true });
  return {
    ...{ hypervisor, plan },
    consoles: createSimulatedConsoles(host),
    stats: createSimulatedStats(host),
    close: () => hypervisor.close(),
  };
});
