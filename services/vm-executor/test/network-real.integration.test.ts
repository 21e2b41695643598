import { expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
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

it('cards that come together are plugged together, and one that can not be holds up no other', async () => {
  const signal = AbortSignal.timeout(120_000);
  const host = await openTestHost({}, 'taps');
  try {
    const subnet = testSubnet(1);
    await host.network.ensureSubnet(subnet, signal);
    const programs: string[] = [];
    const executor = host.again((run) => (argv, options) => {
      programs.push(argv[0]);
      return run(argv, options);
    });
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
    const taps = await Promise.all(
      numbers.map((number) => executor.plug(subnet, testNic(subnet, number), signal)),
    );
    expect(new Set(taps).size).toBe(numbers.length);
    expect(programs).toEqual(['ip', 'ip', 'bridge', 'nft']);
    const rival = testNic(subnet, 22, { ipAddress: testNic(subnet, 1).ipAddress });
    const late = [21, 23].map((number) => executor.plug(subnet, testNic(subnet, number), signal));
    await expect(executor.plug(subnet, rival, signal)).rejects.toThrow(VmFailure);
    expect(await Promise.all(late)).toHaveLength(2);
  } finally {
    await host.close();
  }
}, 120_000);
