import type { SecurityRule } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import { checkMac, formatAddress, formatRange, parseAddress, parseRange } from './addresses.ts';
import { toScript } from './host-rules.ts';
import { networkTable } from './names.ts';

/** A card as its rules need it. */
export interface NicRulesFacts {
  readonly instance: string;
  readonly tapName: string;
  readonly bridgeName: string;
  readonly macAddress: string;
  readonly ipAddress: string;
}

/** {@link NicRulesFacts} of a card to be, with what its user allows. */
export interface NicRules extends NicRulesFacts {
  readonly gatewayAddress: string;
  readonly securityRules: readonly SecurityRule[];
}

/**
 * The rules of one card, new or in place of those before, for a host that has the rules of
 * host-rules.ts; one nft transaction with them. @throws VmFailure `NETWORK_ERROR`
 */
export function nicRulesScript(nic: NicRules): string {
  const { bridge, inet, own, out, into, key } = namesOf(nic);
  const gateway = formatAddress(parseAddress(nic.gatewayAddress));
  return toScript([
    ...fillChain(bridge, own, antiSpoofing(nic)),
    `add element ${bridge} taps { "${nic.tapName}" : goto ${own} }`,
    ...fillChain(inet, out, [
      // Renewals of the lease, and names.
      `ip daddr ${gateway} udp dport { 53, 67 } accept`,
      `ip daddr ${gateway} tcp dport 53 accept`,
      ...userRules(nic.securityRules, 'out'),
    ]),
    ...fillChain(inet, into, [
      // A lease's offer answers a broadcast, so connection tracking does not know it as a reply.
      `ip saddr ${gateway} udp sport 67 udp dport 68 accept`,
      ...userRules(nic.securityRules, 'in'),
    ]),
    `add element ${inet} senders { ${key} : jump ${out} }`,
    `add element ${inet} receivers { ${key} : jump ${into} }`,
  ]);
}

/**
 * Removes the rules of one card; that they are there is no condition. Elements are added before
 * they are deleted, as nft refuses to delete what is not there.
 */
export function removeNicRulesScript(nic: NicRulesFacts): string {
  const { bridge, inet, own, out, into, key } = namesOf(nic);
  const elements = [
    [bridge, own, `taps { "${nic.tapName}"`, 'goto'],
    [inet, out, `senders { ${key}`, 'jump'],
    [inet, into, `receivers { ${key}`, 'jump'],
  ] as const;
  return toScript(
    elements.flatMap(([table, chain, element, verdict]) => [
      `add chain ${table} ${chain}`,
      `add element ${table} ${element} : ${verdict} ${chain} }`,
      `delete element ${table} ${element} }`,
      `flush chain ${table} ${chain}`,
      `delete chain ${table} ${chain}`,
    ]),
  );
}

/** The chain of a subnet that puts its connections into a zone of their own. */
export function zoneScript(instance: string, bridgeName: string, zone: number): string {
  const { inet, chain, element } = zoneNames(instance, bridgeName);
  return toScript([
    ...fillChain(inet, chain, [`ct zone set ${zone}`]),
    `add element ${inet} ${element} : jump ${chain} }`,
  ]);
}

/** The reverse of {@link zoneScript}; that it was done is no condition. */
export function removeZoneScript(instance: string, bridgeName: string): string {
  const { inet, chain, element } = zoneNames(instance, bridgeName);
  return toScript([
    `add chain ${inet} ${chain}`,
    `add element ${inet} ${element} : jump ${chain} }`,
    `delete element ${inet} ${element} }`,
    `flush chain ${inet} ${chain}`,
    `delete chain ${inet} ${chain}`,
  ]);
}

/**
 * What a card may send: IPv4 and ARP in its own name, and the question for its address. So no other
 * MAC, no other address, no IPv6, no tags of VLANs, no DHCP server of its own, and no flood.
 */
function antiSpoofing(nic: NicRules): readonly string[] {
  const mac = checkMac(nic.macAddress);
  const ip = formatAddress(parseAddress(nic.ipAddress));
  return [
    `ether saddr != ${mac} drop`,
    'ether type vlan drop',
    `meta pkttype { broadcast, multicast } limit rate over ${BROADCASTS} packets drop`,
    // 0.0.0.0: asking whether an address is free before using it (RFC 5227).
    `arp saddr ether ${mac} arp saddr ip { 0.0.0.0, ${ip} } accept`,
    'udp sport 67 drop',
    `ip saddr ${ip} accept`,
    'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
    'drop',
  ];
}

/** To everybody, such as ARP's questions: each is carried to all hosts of the subnet. */
const BROADCASTS = '500/second burst 1000';

/** The user's rules of one direction. `accept` lets the other direction's side have its say. */
function userRules(all: readonly SecurityRule[], direction: 'in' | 'out'): readonly string[] {
  const rules = all.filter((rule) => rule.direction === direction);
  if (rules.length === 0) return [];
  return [...rules.map(userRule), 'drop'];
}

function userRule({ direction, protocol, ports, cidr, action }: SecurityRule): string {
  const verdict = action === 'accept' ? 'return' : 'drop';
  const side = direction === 'in' ? 'saddr' : 'daddr';
  const other = cidr === undefined ? [] : [`ip ${side} ${formatRange(parseRange(cidr))}`];
  return [...other, ...transport(protocol, ports), verdict].join(' ');
}

function transport(
  protocol: SecurityRule['protocol'],
  ports: SecurityRule['ports'],
): readonly string[] {
  switch (protocol) {
    case 'any':
    case 'icmp':
      if (ports !== undefined) throw new VmFailure('NETWORK_ERROR', `${protocol} has no ports`);
      return protocol === 'any' ? [] : ['ip protocol icmp'];
    case 'tcp':
    case 'udp': {
      if (ports === undefined) return [`ip protocol ${protocol}`];
      const [first, last] = ports;
      if (first > last) throw new VmFailure('NETWORK_ERROR', `no ports from ${first} to ${last}`);
      return [`${protocol} dport ${first}-${last}`];
    }
  }
}

function namesOf(nic: NicRulesFacts) {
  const table = networkTable(nic.instance);
  const ip = formatAddress(parseAddress(nic.ipAddress));
  return {
    bridge: `bridge ${table}`,
    inet: `inet ${table}`,
    own: `own-${nic.tapName}`,
    out: `out-${nic.tapName}`,
    into: `in-${nic.tapName}`,
    key: `"${nic.bridgeName}" . ${ip}`,
  };
}

function zoneNames(instance: string, bridgeName: string) {
  const inet = `inet ${networkTable(instance)}`;
  return { inet, chain: `zone-${bridgeName}`, element: `zones { "${bridgeName}"` };
}

function fillChain(table: string, name: string, lines: readonly string[]): readonly string[] {
  return [
    `add chain ${table} ${name}`,
    `flush chain ${table} ${name}`,
    ...lines.map((line) => `add rule ${table} ${name} ${line}`),
  ];
}
