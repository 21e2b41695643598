import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkTag } from './names.ts';
import { parseFdb, parseLinks, type SeenLink } from './observe.ts';
import { fdbCommands, wantedFdb } from './peers-plan.ts';
import {
  areLinksComplete,
  freeSlot,
  hostLinkCommands,
  nameSubnet,
  namespaceLinkCommands,
  uplinkAddresses,
} from './subnet-plan.ts';
import { seenLink, testNic, testSubnet } from './testing.ts';

const HOST = {
  instance: 'lab',
  tunnelAddress: '192.0.2.1',
  vxlanPort: 4789,
  underlayMtu: 1500,
};
const subnet = testSubnet(1, { egress: 'nat' });
const names = nameSubnet(HOST, subnet, []);

/** What is seen after all commands were carried out. */
function complete(): SeenLink[] {
  const tag = (kind: 'bridge' | 'vxlan' | 'gateway' | 'uplink') => ({
    alias: linkTag('lab', kind, subnet.subnetId),
  });
  const master = names.bridge;
  return [
    seenLink(names.bridge, tag('bridge')),
    seenLink(names.gateway, { ...tag('gateway'), master }),
    seenLink(names.vxlan, {
      ...tag('vxlan'),
      master,
      vxlan: { vni: 101, local: '192.0.2.1', port: 4789 },
    }),
    seenLink(names.uplink, tag('uplink')),
  ];
}

const makes = (links: readonly SeenLink[], of = subnet) =>
  hostLinkCommands(HOST, of, names, links, 0).filter((each) => / (add name|del) /.test(each));

describe('the links of a subnet', () => {
  it('are made where missing, and only there', () => {
    fc.assert(
      fc.property(fc.subarray(complete()), (present) => {
        const made = makes(present).map((each) => each.split(' ')[3]);
        const missing = complete().filter(({ name }) => !present.some((is) => is.name === name));
        expect(made.sort()).toEqual(missing.map(({ name }) => name).sort());
        expect(areLinksComplete(HOST, subnet, names, present)).toBe(missing.length === 0);
      }),
    );
  });

  it('are not complete while one is down, untagged or out of the bridge', () => {
    const spoil = [{ isUp: false }, { alias: null }, { master: null }];
    for (const change of spoil) {
      const links = complete().map((link) =>
        link.name === names.gateway ? { ...link, ...change } : link,
      );
      expect(areLinksComplete(HOST, subnet, names, links)).toBe(false);
    }
  });

  it('have no uplink without egress, and no tunnel on a host without an address for it', () => {
    expect(makes(complete(), testSubnet(1))).toEqual([`link del dev ${names.uplink}`]);
    const alone = { ...HOST, tunnelAddress: null };
    const commands = hostLinkCommands(alone, subnet, names, complete(), 0);
    expect(commands).toContain(`link del dev ${names.vxlan}`);
    expect(commands.join()).not.toContain('type vxlan');
  });

  it('get a new tunnel when the address of the host has changed', () => {
    const moved = { ...HOST, tunnelAddress: '192.0.2.9' };
    expect(areLinksComplete(moved, subnet, names, complete())).toBe(false);
    const commands = hostLinkCommands(moved, subnet, names, complete(), 0);
    expect(commands.filter((each) => / (add name|del) /.test(each))).toEqual([
      `link del dev ${names.vxlan}`,
      `link add name ${names.vxlan} type vxlan id 101 local 192.0.2.9 dstport 4789 nolearning ttl 64`,
    ]);
  });

  it('leave room for the headers of the tunnel', () => {
    expect(namespaceLinkCommands(HOST, subnet, 0).join()).toContain('mtu 1450');
  });
});

describe('uplinks', () => {
  it('have addresses of their own for each slot', () => {
    expect(uplinkAddresses(0)).toEqual({ host: '169.254.1.0', subnet: '169.254.1.1' });
    expect(uplinkAddresses(31_999)).toEqual({ host: '169.254.250.254', subnet: '169.254.250.255' });
  });

  it('take the first slot that is free', () => {
    expect(freeSlot(new Set([0, 1, 3]))).toBe(2);
  });
});

describe("the tunnel's destinations", () => {
  const nic = testNic(subnet, 9);
  const told = {
    subnetId: subnet.subnetId,
    epoch: 1,
    peers: [
      { tunnelAddress: '192.0.2.1', nics: [testNic(subnet, 1)] },
      { tunnelAddress: '192.0.2.2', nics: [nic] },
    ],
  };
  const wanted = wantedFdb(told, '192.0.2.1');

  it('are all other hosts for broadcasts, and one host for a card that is known', () => {
    expect(wanted).toEqual([
      { mac: '00:00:00:00:00:00', address: '192.0.2.2' },
      { mac: nic.macAddress, address: '192.0.2.2' },
    ]);
  });

  it('change by what differs; first goes what goes', () => {
    const old = { mac: nic.macAddress, address: '192.0.2.3' };
    expect(fdbCommands('vx', wanted, wanted)).toEqual([]);
    expect(fdbCommands('vx', wanted, [old])).toEqual([
      'fdb del 52:54:00:00:00:09 dev vx dst 192.0.2.3 self',
      'fdb append 00:00:00:00:00:00 dev vx dst 192.0.2.2 self permanent',
      'fdb append 52:54:00:00:00:09 dev vx dst 192.0.2.2 self permanent',
    ]);
  });
});

describe('what iproute2 prints', () => {
  it('is read as links', () => {
    const text =
      '[{},{"ifname":"v0","ifalias":"a","master":"b","flags":["UP"],"linkinfo":{"info_kind":' +
      '"vxlan","info_data":{"id":5,"local":"127.0.0.1","port":4789,"learning":false}}}]';
    expect(parseLinks(text)).toEqual([
      seenLink('v0', {
        alias: 'a',
        master: 'b',
        vxlan: { vni: 5, local: '127.0.0.1', port: 4789 },
      }),
    ]);
  });

  it('may be nothing at all', () => {
    expect([parseLinks(''), parseFdb('\n')]).toEqual([[], []]);
  });
});
