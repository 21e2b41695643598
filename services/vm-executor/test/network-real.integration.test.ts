import { expect, it } from 'vitest';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { describeHostNetwork } from './network-contract.ts';
import { openTestHost } from './network-hosts.ts';

describeHostNetwork('iproute2, nftables and dnsmasq', () => openTestHost({}, 'taps'));

it('executors of one host plug at the same time, while one drops what is unused', async () => {
  const signal = AbortSignal.timeout(120_000);
  const host = await openTestHost({}, 'taps');
  try {
    const subnets = [testSubnet(1), testSubnet(2)];
    const executors = [host.network, host.again((run) => run)];
    const nics = subnets.flatMap((subnet) =>
      Array.from({ length: 10 }, (_, index) => ({ subnet, nic: testNic(subnet, index + 1) })),
    );
    const taps = await Promise.all(
      nics.map(async ({ subnet, nic }, index) => {
        const executor = executors[index % 2] ?? host.network;
        const [tap] = await Promise.all([
          executor.plug(subnet, nic, signal),
          executor.dropUnused(signal),
        ]);
        return tap;
      }),
    );
    expect(new Set(taps).size).toBe(nics.length);
    const seen = (await host.network.inventory(signal)).nics;
    expect(seen.filter(({ isAttached }) => isAttached)).toHaveLength(nics.length);
  } finally {
    await host.close();
  }
}, 120_000);
