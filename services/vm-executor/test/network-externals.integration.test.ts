import type { SecurityRule } from '@factory/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { connectHosts, openTestHost, type TestGuest, type TestHost } from './network-hosts.ts';

const signal = AbortSignal.timeout(300_000);
const [HOST, WORLD, CONTROL_PLANE] = ['198.51.100.1', '198.51.100.2', '198.51.100.3'];
/** One of the network that the host is in, and one that the world routes to it. */
const [NEAR, FAR] = ['198.51.100.40', '192.0.2.16'];

describe('external addresses', () => {
  const subnet = testSubnet(1, { egress: 'nat' });
  const twin = testSubnet(2, { egress: 'nat' });
  /** They keep their subnets there between the tests. */
  const lodgers = [subnet, twin].map((of) => testNic(of, 200));
  let host: TestHost;
  let world: TestHost;

  beforeAll(async () => {
    host = await openTestHost({ protectedRanges: [`${CONTROL_PLANE}/32`] });
    world = await openTestHost();
    await connectHosts(host, world, 'wan0', [`${HOST}/24`, `${WORLD}/24`]);
    await world.run(`ip addr add ${CONTROL_PLANE}/24 dev wan0`);
    await world.run(`ip route add 192.0.2.16/28 via ${HOST}`);
    for (const lodger of lodgers)
      await host.network.plug(lodger.subnetId === twin.subnetId ? twin : subnet, lodger, signal);
  });
  afterAll(async () => {
    await host.close();
    await world.close();
  });
  afterEach(async () => {
    for (const nic of (await host.network.inventory(signal)).nics)
      if (lodgers.every((each) => each.vmId !== nic.vmId)) await host.network.unplug(nic, signal);
    await world.run('ip neigh flush dev wan0');
  });

  interface Wish {
    readonly external?: string;
    readonly rules?: readonly SecurityRule[];
    readonly of?: typeof subnet;
  }
  /** A guest with its address set by hand. */
  async function boot(number: number, { external, rules = [], of = subnet }: Wish = {}) {
    const more = { externalAddress: external ?? null, securityRules: rules };
    return await host.boot(of, testNic(of, number, more), 'address');
  }
  const ping = (address: string): string => `ping -c 1 -W 5 ${address}`;
  /** For what is not to come: an answer takes a fraction of a millisecond. */
  const inVain = (address: string): string => `timeout 0.4 ping -c 1 ${address}`;
  const canWorld = (command: string): Promise<boolean> =>
    world.run(command).then(
      () => true,
      () => false,
    );
  /** Counts packets that arrive, by a rule of nft. */
  async function watch({ run }: Pick<TestGuest, 'run'>, match: string) {
    await run('nft -f -', WATCH(match));
    return async (): Promise<number> =>
      Number(/counter packets (\d+)/.exec(await run('nft list table inet watch'))?.[1]);
  }
  /** A datagram of the world, from this port. */
  async function knock(port: number, address: string): Promise<void> {
    const send = `s.send('x', 5000, '${address}', () => s.close())`;
    const script = `const s = require('dgram').createSocket('udp4'); s.bind(${port}, () => ${send})`;
    await world.run([process.execPath, '-e', script]);
  }

  it.each([
    ['of the network of the host', NEAR],
    ['that is routed to it', FAR],
  ])('%s: lead to their guest, and are what it is seen as', async (_, external) => {
    const guest = await boot(1, { external });
    await boot(1, { of: twin });
    await world.run(ping(external));
    const seen = await watch(world, `ip saddr ${external} icmp type echo-request`);
    await guest.run(ping(WORLD));
    expect(await seen()).toBe(1);
    expect(await host.network.externalAddresses(signal)).toEqual([external]);
    expect(await guest.can(inVain(CONTROL_PLANE))).toBe(false);
    expect(await guest.can(inVain(HOST))).toBe(false);
  });

  it('let through what the rules of their card do, and nothing else', async () => {
    const rules: readonly SecurityRule[] = [
      { direction: 'in', protocol: 'icmp', cidr: `${WORLD}/32`, action: 'accept' },
    ];
    await boot(1, { external: FAR, rules });
    expect(await canWorld(ping(FAR))).toBe(true);
    expect(await canWorld(`timeout 0.4 ping -c 1 -I ${CONTROL_PLANE} ${FAR}`)).toBe(false);
  });

  it('answer whoever asks, from the control plane too, which they do not reach by themselves', async () => {
    const guest = await boot(1, { external: FAR });
    expect(await canWorld(`ping -c 1 -W 1 -I ${CONTROL_PLANE} ${FAR}`)).toBe(true);
    expect(await guest.can(inVain(CONTROL_PLANE))).toBe(false);
  });

  it('are reached from guests of this host, of the same subnet and of others', async () => {
    await boot(1, { external: FAR });
    const [neighbour, stranger] = [await boot(2), await boot(2, { of: twin })];
    expect(await neighbour.can(ping(FAR))).toBe(true);
    expect(await stranger.can(ping(FAR))).toBe(true);
    expect(await stranger.can(inVain('10.80.1.1'))).toBe(false);
  });

  it('come to and leave a card that stays in, and are gone with it', async () => {
    const guest = await boot(1);
    expect(await canWorld(inVain(NEAR))).toBe(false);
    const { nic } = guest;
    await host.network.plug(subnet, { ...nic, externalAddress: NEAR }, signal);
    await world.run('ip neigh flush dev wan0');
    expect(await canWorld(ping(NEAR))).toBe(true);
    await host.network.plug(subnet, { ...nic, externalAddress: FAR }, signal);
    expect(await canWorld(inVain(NEAR))).toBe(false);
    expect(await canWorld(ping(FAR))).toBe(true);
    await host.network.plug(subnet, nic, signal);
    expect(await canWorld(inVain(FAR))).toBe(false);
    expect(await guest.can(ping(WORLD))).toBe(true);

    await host.network.plug(subnet, { ...nic, externalAddress: NEAR }, signal);
    await host.network.unplug(nic, signal);
    await world.run('ip neigh flush dev wan0');
    expect(await canWorld(inVain(NEAR))).toBe(false);
    expect(await host.network.externalAddresses(signal)).toEqual([]);
    expect(await host.run('ip neigh show proxy')).toBe('');
    expect(await host.run(`ip route show ${NEAR}`)).toBe('');
  });

  it('that went from one card to another take no old connection along', async () => {
    const heir = await boot(2);
    const before = await boot(1, { external: FAR });
    const [toBefore, toHeir] = [
      await watch(before, 'udp dport 5000'),
      await watch(heir, 'udp dport 5000'),
    ];
    await knock(4000, FAR);
    await knock(4000, FAR);
    expect(await toBefore()).toBe(2);
    await host.network.plug(subnet, { ...before.nic, externalAddress: null }, signal);
    await host.network.plug(subnet, { ...heir.nic, externalAddress: FAR }, signal);
    await knock(4000, FAR);
    await knock(4001, FAR);
    expect(await toBefore()).toBe(2);
    expect(await toHeir()).toBe(1);
  });

  it('rest while their subnet has no egress', async () => {
    const { nic } = await boot(1, { external: FAR });
    await host.network.plug({ ...subnet, egress: 'none' }, nic, signal);
    expect(await canWorld(inVain(FAR))).toBe(false);
    await host.network.plug(subnet, nic, signal);
    expect(await canWorld(ping(FAR))).toBe(true);
  });

  it('are given again after all rules were flushed, or the subnet was torn down', async () => {
    const { nic } = await boot(1, { external: NEAR });
    await host.run('nft flush ruleset');
    await host.network.plug(subnet, nic, signal);
    expect(await canWorld(ping(NEAR))).toBe(true);
    const uplink = /^\d+: (fn\w+u\w*)@/m.exec(await host.run('ip link show'))?.[1];
    await host.run(`ip link del dev ${uplink}`);
    await host.network.plug(subnet, nic, signal);
    expect(await canWorld(ping(NEAR))).toBe(true);
  });

  it('are refused that another card has, or that the host uses', async () => {
    const { nic } = await boot(1, { external: FAR });
    const rival = testNic(twin, 3, { externalAddress: FAR });
    await expect(host.network.plug(twin, rival, signal)).rejects.toThrow(/is that of/);
    await host.run('ip route add 192.0.2.20/32 dev wan0');
    const taken = { ...nic, externalAddress: '192.0.2.20' };
    await expect(host.network.plug(subnet, taken, signal)).rejects.toThrow(/wan0/);
    await host.run('ip route del 192.0.2.20/32');
  });
});

const WATCH = (match: string): string => `add table inet watch
delete table inet watch
add table inet watch
add chain inet watch in { type filter hook input priority 0; }
add rule inet watch in ${match} counter
`;
