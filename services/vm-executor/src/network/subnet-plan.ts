import { formatAddress, parseAddress, parseRange } from './addresses.ts';
import { shareRules } from './host-rules.ts';
import { chooseLinkName, gatewayMac, linkTag, namespaceName } from './names.ts';
import type { SeenLink } from './observe.ts';
import type { SubnetOnHost } from './port.ts';
import type { External } from './state-files.ts';

/** What plans need to know of the host. */
export interface HostFacts {
  readonly instance: string;
  /** Where this host's tunnels end, an IPv4 address of its own; null: it has none. */
  readonly tunnelAddress: string | null;
  readonly vxlanPort: number;
  /** Of the network between the hosts, in bytes. */
  readonly underlayMtu: number;
}

/** Outer Ethernet, IPv4, UDP and VXLAN headers (RFC 7348). */
const VXLAN_OVERHEAD_BYTES = 50;

/** What guests may send in one piece, in all subnets, so that it fits a tunnel. */
export function guestMtu(host: HostFacts): number {
  return host.underlayMtu - VXLAN_OVERHEAD_BYTES;
}

/** The names of a subnet's links on this host. */
export interface SubnetNames {
  readonly namespace: string;
  readonly bridge: string;
  readonly vxlan: string;
  readonly gateway: string;
  readonly uplink: string;
}

/** The names that a subnet's links have, or get. */
export function nameSubnet(
  { instance }: HostFacts,
  { subnetId }: Pick<SubnetOnHost, 'subnetId'>,
  links: readonly SeenLink[],
): SubnetNames {
  const name = (kind: 'bridge' | 'vxlan' | 'gateway' | 'uplink'): string =>
    chooseLinkName(instance, kind, subnetId, links);
  return {
    namespace: namespaceName(instance, subnetId),
    bridge: name('bridge'),
    vxlan: name('vxlan'),
    gateway: name('gateway'),
    uplink: name('uplink'),
  };
}

/** The ends of the link between a subnet's namespace and its host. */
export interface UplinkAddresses {
  readonly host: string;
  readonly subnet: string;
}

/** How many subnets of a host can have an uplink, or connections told apart. */
export const SLOTS_MAX = 32_000;

/**
 * Addresses of the uplink of the subnet with this slot, 0 to {@link SLOTS_MAX}: a /31 (RFC 3021) of
 * the link-local range, whose first and last 256 addresses are reserved (RFC 3927). They are seen by
 * nobody but the host, which replaces them by its own.
 */
export function uplinkAddresses(slot: number): UplinkAddresses {
  const first = parseAddress('169.254.1.0') + slot * 2;
  return { host: formatAddress(first), subnet: formatAddress(first + 1) };
}

/** The first slot that no other subnet of the host has. */
export function freeSlot(taken: ReadonlySet<number>): number {
  for (let slot = 0; slot < SLOTS_MAX; slot += 1) if (!taken.has(slot)) return slot;
  throw new RangeError(`all ${SLOTS_MAX} slots are taken`);
}

/** Whether a tunnel to other hosts belongs to the subnet here. */
function tunnelOf(host: HostFacts, subnet: SubnetOnHost) {
  if (host.tunnelAddress === null || subnet.vni === null) return undefined;
  return { vni: subnet.vni, local: host.tunnelAddress, port: host.vxlanPort };
}

/** Whether all links are there and in their places, so that nothing need be done. */
export function areLinksComplete(
  host: HostFacts,
  subnet: SubnetOnHost,
  names: SubnetNames,
  links: readonly SeenLink[],
): boolean {
  const find = (name: string): SeenLink | undefined => links.find((link) => link.name === name);
  const isPort = (name: string): boolean => {
    const link = find(name);
    return link?.isUp === true && link.alias !== null && link.master === names.bridge;
  };
  const bridge = find(names.bridge);
  const tunnel = tunnelOf(host, subnet);
  const hasTunnel = tunnel === undefined ? find(names.vxlan) === undefined : isPort(names.vxlan);
  const isTunnelRight = tunnel === undefined || isSameTunnel(find(names.vxlan)?.vxlan, tunnel);
  const hasUplink = find(names.uplink)?.isUp === true;
  return (
    bridge?.isUp === true &&
    bridge.alias !== null &&
    isPort(names.gateway) &&
    hasTunnel &&
    isTunnelRight &&
    hasUplink === (subnet.egress === 'nat')
  );
}

/**
 * Commands of `ip -batch` that take a subnet's links on the host from what is there to what should
 * be. The ends in the subnet's namespace come into being with those on the host.
 */
export function hostLinkCommands(
  host: HostFacts,
  subnet: SubnetOnHost,
  names: SubnetNames,
  links: readonly SeenLink[],
  slot: number,
): readonly string[] {
  const { instance } = host;
  const { subnetId } = subnet;
  const find = (name: string): SeenLink | undefined => links.find((link) => link.name === name);
  const make = (name: string, how: string): readonly string[] =>
    find(name) === undefined ? [`link add name ${name} ${how}`] : [];
  const remove = (name: string): readonly string[] =>
    find(name) === undefined ? [] : [`link del dev ${name}`];
  const tag = (kind: 'bridge' | 'vxlan' | 'gateway' | 'uplink'): string =>
    `alias ${linkTag(instance, kind, subnetId)}`;
  // Without `addrgenmode none` the host would get an IPv6 address on the link.
  const common = `addrgenmode none mtu ${guestMtu(host)}`;
  const port = `type bridge_slave guard on`;

  const { bridge, gateway, vxlan, uplink, namespace } = names;
  const tunnel = tunnelOf(host, subnet);
  const hasOtherTunnel = !isSameTunnel(find(vxlan)?.vxlan, tunnel);
  const { host: uplinkAddress } = uplinkAddresses(slot);
  return [
    ...make(bridge, 'type bridge stp_state 0 forward_delay 0 mcast_snooping 0'),
    `link set dev ${bridge} ${tag('bridge')} ${common}`,
    `link set dev ${bridge} up`,

    ...make(gateway, `type veth peer name ${GATEWAY_DEVICE} netns ${namespace}`),
    `link set dev ${gateway} ${tag('gateway')} ${common} master ${bridge}`,
    // Its MAC is known (fdb), so it need neither be learned nor looked for.
    `link set dev ${gateway} ${port} learning off flood off`,
    `link set dev ${gateway} up`,

    ...(hasOtherTunnel ? remove(vxlan) : []),
    ...(tunnel === undefined
      ? []
      : [
          ...(hasOtherTunnel || find(vxlan) === undefined
            ? [
                `link add name ${vxlan} type vxlan id ${tunnel.vni} local ${tunnel.local} ` +
                  `dstport ${tunnel.port} nolearning ttl 64`,
              ]
            : []),
          `link set dev ${vxlan} ${tag('vxlan')} ${common} master ${bridge}`,
          `link set dev ${vxlan} ${port}`,
          `link set dev ${vxlan} up`,
        ]),

    ...(subnet.egress === 'none'
      ? remove(uplink)
      : [
          ...make(uplink, `type veth peer name ${UPLINK_DEVICE} netns ${namespace}`),
          `link set dev ${uplink} ${tag('uplink')} addrgenmode none`,
          `addr flush dev ${uplink}`,
          `addr add ${uplinkAddress}/31 dev ${uplink}`,
          `link set dev ${uplink} up`,
        ]),
  ];
}

/** Where the ends of uplinks are. */
const LINK_LOCAL = '169.254.0.0/16';

/** The gateway's device in the subnet's namespace, and the one that leads out of it. */
const GATEWAY_DEVICE = 'gw0';
const UPLINK_DEVICE = 'up0';

/** Commands of `ip -batch` within the subnet's namespace. */
export function namespaceLinkCommands(
  host: HostFacts,
  subnet: SubnetOnHost,
  slot: number,
): readonly string[] {
  const { prefixLength } = parseRange(subnet.cidr);
  const gateway = formatAddress(parseAddress(subnet.gatewayAddress));
  const uplink = uplinkAddresses(slot);
  const { subnetId, egress } = subnet;
  return [
    'link set dev lo up',
    `link set dev ${GATEWAY_DEVICE} address ${gatewayMac(subnetId)} mtu ${guestMtu(host)}`,
    `link set dev ${GATEWAY_DEVICE} addrgenmode none up`,
    `addr replace ${gateway}/${prefixLength} dev ${GATEWAY_DEVICE}`,
    ...(egress === 'none'
      ? []
      : [
          `addr flush dev ${UPLINK_DEVICE}`,
          `addr add ${uplink.subnet}/31 dev ${UPLINK_DEVICE}`,
          `link set dev ${UPLINK_DEVICE} addrgenmode none up`,
          `route replace default via ${uplink.host} dev ${UPLINK_DEVICE}`,
        ]),
  ];
}

/** Settings of the subnet's namespace, by their path under /proc/sys. */
export function namespaceSettings(subnet: SubnetOnHost): Readonly<Record<string, number>> {
  return {
    'net/ipv6/conf/all/disable_ipv6': 1,
    'net/ipv4/ip_forward': subnet.egress === 'nat' ? 1 : 0,
  };
}

/**
 * The rules within the subnet's namespace: DHCP, DNS and ping for guests, and the way out, in their
 * own names for those with an external address. A connection that was made when an address belonged
 * to another card does not pass: what it was translated to is not in `pairs`.
 */
export function namespaceRulesScript(subnet: SubnetOnHost): string {
  const { first, prefixLength } = parseRange(subnet.cidr);
  const [gateway, uplink] = [`"${GATEWAY_DEVICE}"`, `"${UPLINK_DEVICE}"`];
  const range = `${formatAddress(first)}/${prefixLength}`;
  const byOwnName = `ct reply ip daddr != ${LINK_LOCAL} ct reply ip daddr`;
  const forward = [
    'ct direction original ct status dnat ct original ip daddr . ip daddr != @pairs drop',
    'ct direction reply ct status dnat ct original ip daddr . ip saddr != @pairs drop',
    `oifname ${uplink} ct status snat ${byOwnName} . ip saddr != @pairs drop`,
    `iifname ${uplink} ct status snat ${byOwnName} . ip daddr != @pairs drop`,
    'ct state established,related accept',
    ...shareRules('ip saddr').map((rule) => `iifname ${gateway} ${rule}`),
    `iifname ${gateway} oifname ${uplink} ip saddr ${range} accept`,
    'ct status dnat accept',
  ];
  const translations = [
    // From a neighbour, which would not know the answer if it came straight from the card.
    `iifname ${gateway} oifname ${gateway} ct status dnat masquerade`,
    `oifname ${uplink} snat ip to ip saddr map @outward`,
    `oifname ${uplink} masquerade`,
  ];
  return `add table inet subnet
delete table inet subnet
table inet subnet {
  set rates { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
  set flows { type ipv4_addr; flags dynamic; }
  set pairs { type ipv4_addr . ipv4_addr; }
  map inward { type ipv4_addr : ipv4_addr; }
  map outward { type ipv4_addr : ipv4_addr; }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    iifname ${gateway} udp dport { 53, 67 } accept
    iifname ${gateway} tcp dport 53 accept
    iifname ${gateway} icmp type echo-request accept
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ${subnet.egress === 'nat' ? forward.join('\n    ') : ''}
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    dnat ip to ip daddr map @inward
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ${translations.join('\n    ')}
  }
}
`;
}

/** Within the subnet's namespace: these addresses are translated, and no others. */
export function namespaceExternalsScript(externals: readonly External[]): string {
  const pairs = externals.map(({ ipAddress, externalAddress }) => ({
    inner: formatAddress(parseAddress(ipAddress)),
    outer: formatAddress(parseAddress(externalAddress)),
  }));
  const fill = (name: string, elements: readonly string[]): string =>
    elements.length === 0 ? '' : `add element inet subnet ${name} { ${elements.join(', ')} }\n`;
  return `flush set inet subnet pairs
flush map inet subnet inward
flush map inet subnet outward
${fill(
  'pairs',
  pairs.map(({ inner, outer }) => `${outer} . ${inner}`),
)}${fill(
  'inward',
  pairs.map(({ inner, outer }) => `${outer} : ${inner}`),
)}${fill(
  'outward',
  pairs.map(({ inner, outer }) => `${inner} : ${outer}`),
)}`;
}

function isSameTunnel(seen: SeenLink['vxlan'] | undefined, wanted: SeenLink['vxlan'] | undefined) {
  if (seen === undefined || seen === null) return wanted === undefined || wanted === null;
  return seen.vni === wanted?.vni && seen.local === wanted.local && seen.port === wanted.port;
}
