import type { SecurityRule } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gatewayMac } from '../src/network/names.ts';
import type { NicRef, SubnetOnHost } from '../src/network/port.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { connectHosts, openTestHost, type TestGuest, type TestHost } from './network-hosts.ts';

const signal = AbortSignal.timeout(300_000);
const [HOST, WORLD, CONTROL_PLANE] = ['198.51.100.1', '198.51.100.2', '198.51.100.3'];
const GATEWAY = '10.80.0.1';
/** Nobody's; what a guest may not call itself. */
const FORGED = '10.80.1.99';

describe('packets of guests', () => {
  const subnet = testSubnet(1);
  const open = testSubnet(2, { egress: 'nat' });
  let host: TestHost;
  let world: TestHost;
  /** They keep their subnets there between the tests. */
  const lodgers = [subnet, open].map((of) => testNic(of, 200));

  beforeAll(async () => {
    host = await openTestHost({ protectedRanges: [`${CONTROL_PLANE}/32`] });
    world = await openTestHost();
    await connectHosts(host, world, 'wan0', [`${HOST}/24`, `${WORLD}/24`]);
    await world.run(`ip addr add ${CONTROL_PLANE}/24 dev wan0`);
    for (const [index, of] of [subnet, open].entries())
      await host.network.plug(of, lodgers[index] ?? testNic(of, 200), signal);
  });
  afterAll(async () => {
    await host.close();
    await world.close();
  });
  afterEach(async () => {
    const isLodger = ({ vmId }: NicRef): boolean => lodgers.some((each) => each.vmId === vmId);
    for (const nic of (await host.network.inventory(signal)).nics)
      if (!isLodger(nic)) await host.network.unplug(nic, signal);
  });

  /** A guest with its address set by hand. */
  async function boot(
    number: number,
    of: SubnetOnHost = subnet,
    securityRules: readonly SecurityRule[] = [],
  ): Promise<TestGuest> {
    return await host.boot(of, testNic(of, number, { securityRules }), 'address');
  }

  const ping = (address: string): string => `ping -c 1 -W 5 ${address}`;
  /** For what is not to come: an answer takes a fraction of a millisecond. */
  const inVain = (address: string): string => `timeout 0.4 ping -c 1 ${address}`;

  /** Whether a TCP port is reached; a refusal by its owner is an answer as well. */
  async function isReached(from: TestGuest, address: string, port: number): Promise<boolean> {
    const connect = `timeout 0.5 bash -c "echo >/dev/tcp/${address}/${port}" 2>&1; echo " ended $?"`;
    return !(await from.run(['sh', '-c', connect])).includes(' ended 124');
  }

  /** Counts frames that reach a guest, by a rule of nft. */
  async function watch(guest: TestGuest, family: 'arp' | 'inet', match: string) {
    const add = (what: string): Promise<string> => guest.run('nft -f -', `add ${what}\n`);
    await add(`table ${family} watch`);
    await add(`chain ${family} watch in { type filter hook input priority 0; }`);
    await add(`rule ${family} watch in ${match} counter`);
    return async (): Promise<number> => {
      const rules = await guest.run(`nft list table ${family} watch`);
      return Number(/counter packets (\d+)/.exec(rules)?.[1]);
    };
  }

  it('pass within a subnet', async () => {
    const [one, other] = [await boot(1), await boot(2)];
    await one.run(ping(other.nic.ipAddress));
    await one.run(ping(GATEWAY));
  });

  it('do not pass between subnets, though their addresses are the same', async () => {
    const one = await boot(1);
    await boot(2, open);
    expect(await one.can(inVain('10.80.1.2'))).toBe(false);
    const [third, fourth] = [await boot(3, open), await boot(1, open)];
    await third.run(ping(fourth.nic.ipAddress));
    await third.run(ping('10.80.1.2'));
  });

  it('with an address of another are dropped', async () => {
    const [one, victim] = [await boot(1), await boot(2)];
    const counted = await watch(victim, 'inet', `ip saddr { ${FORGED}, ${one.nic.ipAddress} }`);
    await one.run(`ip addr add ${FORGED}/16 dev eth0`);
    await one.run(
      `ip neigh replace ${victim.nic.ipAddress} lladdr ${victim.nic.macAddress} dev eth0`,
    );
    expect(await one.can(`timeout 0.4 ping -c 1 -I ${FORGED} ${victim.nic.ipAddress}`)).toBe(false);
    expect(await counted()).toBe(0);
    await one.run(ping(victim.nic.ipAddress));
    expect(await counted()).toBe(1);
  });

  it('with the MAC of another are dropped', async () => {
    const [one, victim] = [await boot(1), await boot(2)];
    const counted = await watch(victim, 'inet', `ip saddr ${one.nic.ipAddress}`);
    await one.run('ip link set dev eth0 address 52:54:00:00:00:63');
    await one.run(
      `ip neigh replace ${victim.nic.ipAddress} lladdr ${victim.nic.macAddress} dev eth0`,
    );
    expect(await one.can(inVain(victim.nic.ipAddress))).toBe(false);
    expect(await counted()).toBe(0);
  });

  it('that claim the address of another by ARP are dropped', async () => {
    const [one, victim] = [await boot(1), await boot(2)];
    const forged = await watch(victim, 'arp', `arp saddr ip { ${GATEWAY}, ${FORGED} }`);
    await one.run(`ip addr add ${FORGED}/16 dev eth0`);
    await one.can(`busybox arping -c 1 -w 1 -I eth0 -s ${FORGED} ${victim.nic.ipAddress}`);
    await one.can(`busybox arping -U -c 1 -w 1 -I eth0 -s ${FORGED} ${FORGED}`);
    expect(await forged()).toBe(0);
    await one.run(`busybox arping -c 1 -w 2 -I eth0 ${victim.nic.ipAddress}`);
  });

  it('of IPv6 are dropped', async () => {
    const [one, victim] = [await boot(1), await boot(2)];
    await one.run('ip -6 addr add fd00::1/64 dev eth0 nodad');
    await victim.run('ip -6 addr add fd00::2/64 dev eth0 nodad');
    expect(await one.can('timeout 0.4 ping -6 -c 1 fd00::2')).toBe(false);
  });

  it('get a lease and a name', async () => {
    const guest = await host.boot(subnet, testNic(subnet, 1));
    await host.network.plug(subnet, testNic(subnet, 2), signal);
    const script = `${host.stateDir}/dhcp.sh`;
    await host.run(['sh', '-c', `cat >${script} && chmod 755 ${script}`], DHCP_SCRIPT);
    const offered = await guest.run(
      `busybox udhcpc -i eth0 -f -q -n -O mtu -t 5 -T 1 -s ${script}`,
    );
    expect(offered).toContain('bound 10.80.1.1 255.255.0.0 dns 10.80.0.1 mtu 1450 router none');
    await guest.run(`ip addr add 10.80.1.1/16 dev eth0`);
    for (const name of ['vm-2.lab.internal', 'vm-1.lab.internal'])
      expect(await guest.run(`busybox nslookup ${name} ${GATEWAY}`)).toMatch(
        /Address.*: 10\.80\.1\./,
      );
    expect(await guest.can(`busybox nslookup vm-3.lab.internal ${GATEWAY}`)).toBe(false);

    // The address goes to another card, without a restart of the server.
    await host.network.unplug(testNic(subnet, 2), signal);
    const heir = await host.boot(subnet, testNic(subnet, 3, { ipAddress: '10.80.1.2' }));
    const inherited = await heir.run(
      `busybox udhcpc -i eth0 -f -q -n -O mtu -t 5 -T 1 -s ${script}`,
    );
    expect(inherited).toContain('bound 10.80.1.2');
    expect(await guest.can(`busybox nslookup vm-2.lab.internal ${GATEWAY}`)).toBe(false);
  });

  it('do not reach the host, by no way', async () => {
    for (const each of [subnet, open]) {
      const guest = await boot(1, each);
      expect(await guest.can(inVain(HOST))).toBe(false);
      expect(await isReached(guest, HOST, 22)).toBe(false);
      // As if it were on the same wire.
      await guest.run(`ip route add ${HOST} dev eth0`);
      expect(await guest.can(inVain(HOST))).toBe(false);
      const { address } = JSON.parse(await host.run('ip -json link show type bridge'))[0] as {
        address: string;
      };
      await guest.run(`ip neigh replace ${HOST} lladdr ${address} dev eth0`);
      expect(await guest.can(inVain(HOST))).toBe(false);
      await host.network.unplug(guest.nic, signal);
    }
  });

  it('go out where the subnet has egress, in the name of the host, but not to the control plane', async () => {
    const guest = await boot(1, open);
    await guest.run(ping(WORLD));
    expect(await isReached(guest, WORLD, 22)).toBe(true);
    expect(await guest.can(inVain(CONTROL_PLANE))).toBe(false);
    const closed = await boot(1, subnet);
    expect(await closed.can(inVain(WORLD))).toBe(false);
  });

  it('do not come in where the subnet has egress', async () => {
    const guest = await boot(1, open);
    await world.run(`ip route replace 10.80.0.0/16 via ${HOST}`);
    await expect(world.run(inVain(guest.nic.ipAddress))).rejects.toThrow();
  });

  it('pass by the rules of a card, and replies to them without', async () => {
    const rules: readonly SecurityRule[] = [
      { direction: 'in', protocol: 'tcp', ports: [22, 23], action: 'accept' },
      { direction: 'in', protocol: 'icmp', cidr: '10.80.1.1/32', action: 'accept' },
    ];
    // The host's own bridges are none of our business: ours alone get connections tracked.
    await host.run(['sh', '-c', 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables']);
    const [friend, stranger] = [await boot(1), await boot(2)];
    const guarded = await boot(3, subnet, rules);
    const { ipAddress } = guarded.nic;
    expect(await isReached(stranger, ipAddress, 23)).toBe(true);
    expect(await isReached(stranger, ipAddress, 24)).toBe(false);
    expect(await friend.can(ping(ipAddress))).toBe(true);
    expect(await stranger.can(inVain(ipAddress))).toBe(false);
    await guarded.run(ping(stranger.nic.ipAddress));

    const onlyOut = [{ direction: 'out', protocol: 'udp', action: 'drop' }] as const;
    await host.network.setRules(subnet, { ...guarded.nic, securityRules: onlyOut }, signal);
    expect(await stranger.can(ping(ipAddress))).toBe(true);
    expect(await guarded.can(inVain(stranger.nic.ipAddress))).toBe(false);
    expect(await guarded.can(`busybox nslookup vm-1.lab.internal ${GATEWAY}`)).toBe(true);
    await host.network.setRules(subnet, { ...guarded.nic, securityRules: [] }, signal);
    expect(await guarded.can(ping(stranger.nic.ipAddress))).toBe(true);
  });

  it('find the gateway by the MAC that it has on every host', async () => {
    const guest = await boot(1);
    await guest.run(ping(GATEWAY));
    const neighbours = await guest.run('ip neigh show');
    expect(neighbours).toContain(`${GATEWAY} dev eth0 lladdr ${gatewayMac(subnet.subnetId)}`);
  });

  it('have their servers back when these were killed', async () => {
    const guest = await boot(1);
    const pidFile = `${host.stateDir}/subnets/${subnet.subnetId}/dnsmasq.pid`;
    const pid = Number(await host.run(`cat ${pidFile}`));
    process.kill(pid, 'SIGKILL');
    const ended = () =>
      host.run(`test -e /proc/${pid}`).then(
        () => undefined,
        () => true,
      );
    await waitFor(systemClock, 'the end of dnsmasq', 5_000, ended);
    await host.network.ensureSubnet(subnet, signal);
    expect(await guest.can(`busybox nslookup vm-1.lab.internal ${GATEWAY}`)).toBe(true);
  });
});

const DHCP_SCRIPT = `#!/bin/sh
[ "$1" = bound ] && echo "bound $ip $subnet dns $dns mtu $mtu router \${router:-none}"
exit 0
`;
