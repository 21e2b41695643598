import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Peer } from '../src/network/port.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { connectHosts, openTestHost, type TestGuest, type TestHost } from './network-hosts.ts';

const signal = AbortSignal.timeout(300_000);
const GATEWAY = '10.80.0.1';
const [NEAR, FAR] = ['192.0.2.1', '192.0.2.2'];

/** Two hosts; all subnets have one range, so the same addresses. */
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
    await one.run(ping(GATEWAY));
    await other.run(ping(GATEWAY));
    const answer = await one.run(`busybox nslookup ${other.nic.hostname}.lab.internal ${GATEWAY}`);
    expect(answer).toContain(other.nic.ipAddress);
  });

  it('keep subnets apart, though their addresses are the same', async () => {
    const [one] = await bootPair(testSubnet(3));
    const [, stranger] = await bootPair(testSubnet(4));
    await hosts().far.network.unplug(testNic(testSubnet(3), 2), signal);
    expect(await one.can(ping(stranger.nic.ipAddress))).toBe(false);
  });

  it('listen to no host that they were not told of', async () => {
    const subnet = testSubnet(5);
    const { subnetId } = subnet;
    const stranger = await openTestHost({ tunnelAddress: '192.0.3.2' });
    try {
      await connectHosts(hosts().near, stranger, 'cable1', ['192.0.3.1/24', '192.0.3.2/24']);
      await stranger.run('ip route add 192.0.2.0/24 via 192.0.3.1');
      const guest = await hosts().near.boot(subnet, testNic(subnet, 1));
      const intruder = await stranger.boot(subnet, testNic(subnet, 2));
      for (const each of [guest, intruder])
        await each.run(`ip addr add ${each.nic.ipAddress}/16 dev eth0`);
      const tell = (host: TestHost, epoch: number, tunnelAddress: string): Promise<void> =>
        host.network.setPeers({ subnetId, epoch, peers: [{ tunnelAddress, nics: [] }] }, signal);
      await tell(stranger, 1, NEAR);
      // What a host answers, a host that it does not know does not hear: so listen for the question.
      const heard = async (): Promise<boolean> => {
        // A question that nobody answered is not asked again at once.
        await intruder.can(`ip neigh del ${guest.nic.ipAddress} dev eth0`);
        await intruder.can(ping(guest.nic.ipAddress));
        return (await guest.run('ip neigh show')).includes(intruder.nic.ipAddress);
      };
      expect(await heard()).toBe(false);
      await tell(hosts().near, 1, '192.0.3.2');
      expect(await heard()).toBe(true);
      expect(await intruder.can(ping(guest.nic.ipAddress))).toBe(true);
      // An older word does not count.
      await tell(hosts().near, 0, FAR);
      expect(await intruder.can(ping(guest.nic.ipAddress))).toBe(true);
    } finally {
      await stranger.close();
    }
  });

  it('send to a card where it is after it has moved', async () => {
    const subnet = testSubnet(6);
    const { subnetId } = subnet;
    const [one, other] = await bootPair(subnet);
    await one.run(ping(other.nic.ipAddress));
    await hosts().far.network.unplug(other.nic, signal);
    await hosts().near.network.setPeers({ subnetId, epoch: 2, peers: [] }, signal);
    const moved = await hosts().near.boot(subnet, other.nic);
    await moved.run(`ip addr add ${moved.nic.ipAddress}/16 dev eth0`);
    await one.run(ping(moved.nic.ipAddress));
    await hosts().near.network.unplug(moved.nic, signal);
    const back = { tunnelAddress: FAR, nics: [other.nic] };
    await hosts().near.network.setPeers({ subnetId, epoch: 3, peers: [back] }, signal);
    // With its last card it has forgotten the subnet and its peers.
    const near = { tunnelAddress: NEAR, nics: [one.nic] };
    await hosts().far.network.setPeers({ subnetId, epoch: 3, peers: [near] }, signal);
    const again = await hosts().far.boot(subnet, other.nic);
    await again.run(`ip addr add ${again.nic.ipAddress}/16 dev eth0`);
    await one.run(ping(again.nic.ipAddress));
  });

  it('do so without being told of single cards', async () => {
    const [one, other] = await bootPair(untold, false);
    await one.run(ping(other.nic.ipAddress));
  });
});
