import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Peer } from '../src/network/port.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { connectHosts, openTestHost, type TestGuest, type TestHost } from './network-hosts.ts';

const signal = AbortSignal.timeout(300_000);
const [NEAR, FAR] = ['192.0.2.1', '192.0.2.2'];

/** Two hosts; three subnets with one range, so with the same addresses. */
describe('two hosts', () => {
  const known = testSubnet(1);
  const untold = testSubnet(2);
  let [near, far]: TestHost[] = [];
  const hosts = () => {
    if (near === undefined || far === undefined) throw new Error('not open');
    return { near, far };
  };

  beforeAll(async () => {
    near = await openTestHost({ tunnelAddress: NEAR });
    far = await openTestHost({ tunnelAddress: FAR });
    await connectHosts(near, far, 'cable0', [`${NEAR}/24`, `${FAR}/24`]);
  });
  afterAll(async () => {
    await near?.close();
    await far?.close();
  });

  /** Guests with the first and second address of a subnet, one on each host. */
  async function bootPair(subnet = known, isTold = true): Promise<readonly [TestGuest, TestGuest]> {
    const [one, other] = [testNic(subnet, 1), testNic(subnet, 2)];
    const peer = (tunnelAddress: string, nic: typeof one): Peer => ({
      tunnelAddress,
      nics: isTold ? [nic] : [],
    });
    const { subnetId } = subnet;
    await hosts().near.network.setPeers({ subnetId, epoch: 1, peers: [peer(FAR, other)] }, signal);
    await hosts().far.network.setPeers({ subnetId, epoch: 1, peers: [peer(NEAR, one)] }, signal);
    const guests = [await hosts().near.boot(subnet, one), await hosts().far.boot(subnet, other)];
    for (const guest of guests) await guest.run(`ip addr add ${guest.nic.ipAddress}/16 dev eth0`);
    return guests as [TestGuest, TestGuest];
  }

  const ping = (address: string): string => `ping -c 1 -W 2 ${address}`;

  it('carry the frames of a subnet to each other', async () => {
    const [one, other] = await bootPair();
    await one.run(ping(other.nic.ipAddress));
    await other.run(ping(one.nic.ipAddress));
    // A packet of full size fits the tunnel.
    await one.run(`ping -c 1 -W 2 -M do -s 1422 ${other.nic.ipAddress}`);
  });

  it('do so without being told of single cards', async () => {
    const [one, other] = await bootPair(untold, false);
    await one.run(ping(other.nic.ipAddress));
  });
});
