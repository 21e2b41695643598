import { expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
import { createSimulatedNetwork } from '../src/network/simulated.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { describeHostNetwork } from './network-contract.ts';

const signal = AbortSignal.timeout(60_000);
const subnet = testSubnet(1);
const nic = testNic(subnet, 1);

describeHostNetwork('simulated', async () => ({
  network: createSimulatedNetwork('lab'),
  close: async () => undefined,
}));

it('the simulated host network fails when it is told to', async () => {
  const network = createSimulatedNetwork('lab');
  network.mayFail = (operation) =>
    operation === 'plug' ? new VmFailure('NETWORK_ERROR', 'no') : undefined;
  await expect(network.plug(subnet, nic, signal)).rejects.toThrow('no');
  await network.ensureSubnet(subnet, signal);
});

it('the simulated host network keeps the newest word on peers and rules', async () => {
  const network = createSimulatedNetwork('lab');
  const { subnetId } = subnet;
  await network.setPeers({ subnetId, epoch: 2, peers: [] }, signal);
  await network.setPeers({ subnetId, epoch: 1, peers: [] }, signal);
  expect(network.peersOf(subnetId)?.epoch).toBe(2);
  const rules = [{ direction: 'in', protocol: 'icmp', action: 'accept' }] as const;
  await network.plug(subnet, nic, signal);
  await network.setRules(subnet, { ...nic, securityRules: rules }, signal);
  expect(network.rulesOf(nic)).toEqual(rules);
});
