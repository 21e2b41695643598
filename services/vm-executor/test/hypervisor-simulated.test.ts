import { systemClock } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { createSimulatedHypervisor } from '../src/hypervisor/simulated.ts';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { testLease, testPlan } from '../src/testing.ts';
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
  const stranger = createSimulatedHypervisor(newHost());
  return {
    hypervisor,
    stranger,
    plan(number) {
      const plan = testPlan(number);
      host.folders.set(plan.vmId, { record: undefined, hasDisk: true, hasSeed: true });
      return plan;
    },
    lease: testLease,
    kill: async (vmId) => host.endGuest(vmId, 'killed'),
    async close() {
      await hypervisor.close();
      await stranger.close();
    },
  };
});
