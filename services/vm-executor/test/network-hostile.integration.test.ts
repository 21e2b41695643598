import { systemClock } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONNECTIONS_MAX } from '../src/network/host-rules.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { connectHosts, openTestHost, type TestGuest, type TestHost } from './network-hosts.ts';

const [HOST, WORLD] = ['198.51.100.1', '198.51.100.2'];

describe('a hostile guest', () => {
  const subnet = testSubnet(1, { egress: 'nat' });
  let host: TestHost;
  let world: TestHost;
  let guest: TestGuest;
  let victim: TestGuest;

  beforeAll(async () => {
    host = await openTestHost();
    world = await openTestHost();
    await connectHosts(host, world, 'wan0', [`${HOST}/24`, `${WORLD}/24`]);
    guest = await host.boot(subnet, testNic(subnet, 1), 'address');
    const securityRules = [{ direction: 'in', protocol: 'any', action: 'accept' }] as const;
    victim = await host.boot(subnet, testNic(subnet, 2, { securityRules }), 'address');
  });
  afterAll(async () => {
    await host.close();
    await world.close();
  });

  type Place = Pick<TestGuest, 'run'>;
  /** Counts packets that arrive, by a rule of nft. */
  async function watch({ run }: Place, match: string, device = 'eth0') {
    await run('nft -f -', WATCH(match, device));
    return async (): Promise<number> =>
      Number(/counter packets (\d+)/.exec(await run('nft list table netdev watch'))?.[1]);
  }
  /** Sends datagrams from a port (0: any), each to the next of so many ports. */
  async function send(
    { run }: Place,
    address: string,
    { count = 1, port = 5_000, ports = 1, from = 0 },
  ): Promise<void> {
    const script = `const s = require('dgram').createSocket('udp4');
      s.bind(${from}, async () => { s.setBroadcast(true);
      for (let n = 0; n < ${count}; n += 1) await new Promise((done) =>
        s.send('x', ${port} + (n % ${ports}), '${address}', done)); s.close(); });`;
    await run([process.execPath, '-e', script]);
  }

  it('answers no question for an address in the place of the DHCP server', async () => {
    const seen = await watch(victim, 'udp dport 68');
    await send(guest, victim.nic.ipAddress, { port: 68, from: 67 });
    await send(guest, '10.80.255.255', { port: 68, from: 67 });
    expect(await seen()).toBe(0);
    await send(guest, victim.nic.ipAddress, { port: 68, from: 66 });
    expect(await seen()).toBe(1);
  });

  it("advertises itself as nobody's router", async () => {
    const seen = await watch(victim, 'ether type ip6');
    await guest.run('ip -6 addr add fe80::1/64 dev eth0 nodad');
    await guest.can('timeout 0.4 ping -6 -c 1 ff02::1%eth0');
    expect(await seen()).toBe(0);
  });

  it('floods nobody with what goes to all', async () => {
    const seen = await watch(victim, 'udp dport 5000');
    const startMs = systemClock.monotonicMs();
    await send(guest, '10.80.255.255', { count: 20_000 });
    const seconds = (systemClock.monotonicMs() - startMs) / 1_000;
    expect(await seen()).toBeGreaterThan(0);
    expect(await seen()).toBeLessThan(1_500 + 500 * seconds);
  });

  it('takes no more than its share of the connections that are tracked', async () => {
    const seen = await watch(world, 'udp dport 10000-17999', 'wan0');
    await send(guest, WORLD, { count: 8_000, port: 10_000, ports: 8_000 });
    expect(await seen()).toBeGreaterThan(0);
    expect(await seen()).toBeLessThanOrEqual(CONNECTIONS_MAX);
    expect(await victim.can(`ping -c 1 -W 5 ${WORLD}`)).toBe(true);
    // Nor of those between machines of the subnet, where one of them has security rules.
    const within = await watch(victim, 'udp dport 10000-17999');
    await send(guest, victim.nic.ipAddress, { count: 8_000, port: 10_000, ports: 8_000 });
    expect(await within()).toBeGreaterThan(0);
    expect(await within()).toBeLessThanOrEqual(CONNECTIONS_MAX);
  });

  it('reaches no name server by what it is not given, nor does the world', async () => {
    const resolve = `busybox nslookup vm-1.lab.internal`;
    expect(await guest.can(`timeout 5 ${resolve} 10.80.0.1`)).toBe(true);
    await world.run(`ip route replace 169.254.0.0/16 via ${HOST}`);
    await world.run(`ip route replace 10.80.0.0/16 via ${HOST}`);
    for (const address of ['169.254.1.1', '10.80.0.1', HOST]) {
      const asked = world.run(`timeout 0.6 ${resolve} ${address}`);
      await expect(asked, address).rejects.toThrow();
    }
  });

  it('gets what is too large for its way told, and not a hole', async () => {
    await host.run('ip link set dev wan0 mtu 1300');
    const probe = (size: number): string => `timeout 2 ping -c 1 -M do -s ${size} ${WORLD}`;
    const told = await guest.run(['sh', '-c', `${probe(1_400)} 2>&1; true`]);
    expect(told).toMatch(/mtu ?= ?1300/);
    expect(await guest.can(probe(1_200))).toBe(true);
  });
});

/** On the way in, before anything of the guest's own has a say. */
const WATCH = (match: string, device: string): string => `add table netdev watch
delete table netdev watch
add table netdev watch
add chain netdev watch in { type filter hook ingress device "${device}" priority 0; }
add rule netdev watch in ${match} counter
`;
