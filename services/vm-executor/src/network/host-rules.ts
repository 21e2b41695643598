import { linkPrefix, networkTable } from './names.ts';

/** What the rules of a whole host depend on. */
export interface HostRulesFacts {
  readonly instance: string;
  /** UDP; where the tunnels of all hosts end. */
  readonly vxlanPort: number;
  /** Tunnel ends of all other hosts that any subnet has told of. */
  readonly peerAddresses: readonly string[];
  /** IPv4 ranges that no guest may reach, whatever egress its subnet has. */
  readonly protectedRanges: readonly string[];
}

/**
 * A guest's connections that are tracked at a time, in its namespace or on its host; all guests of a
 * host share its table (`nf_conntrack_max`, 262,144 as a rule).
 */
export const CONNECTIONS_MAX = 4_096;
/** New ones of a guest: to count those that it has takes the longer the more they are. */
const CONNECTIONS_RATE = '500/second burst 5000';

/** Rules by which whoever `who` tells apart has a share of the table, and of the time for it. */
export function shareRules(who: string): readonly string[] {
  return [
    `ct state new update @rates { ${who} limit rate over ${CONNECTIONS_RATE} packets } drop`,
    `ct state new add @flows { ${who} ct count over ${CONNECTIONS_MAX} } drop`,
  ];
}

/** Link-local: the uplinks' own addresses, and where clouds have their metadata service. */
const LINK_LOCAL = '169.254.0.0/16';

/**
 * The rules that hold for all subnets of the instance, as one nft transaction: chains are filled
 * anew, what belongs to single cards and subnets stays. Links are known by the prefix of their
 * names, so a new one is under the rules from its first frame.
 *
 * Family `bridge`: a tap without rules of its own sends nothing; the host itself neither hears nor
 * speaks on our bridges, so nothing on it can be reached; and frames of a gateway stay on its host,
 * as each host of a subnet has one with the same address.
 *
 * Family `inet`: what leaves a subnet by its uplink (NAT) may go out into the world, but not to the
 * host, other hosts' tunnels or protected ranges; from the world it is reached by its external
 * addresses alone. Tunnels are listened to only from peers. Bridged
 * packets pass here too where br_netfilter is on, for the security rules, which need connection
 * tracking; each subnet has a zone of its own in that, as several may have the same addresses.
 */
export function hostRulesScript(facts: HostRulesFacts): string {
  const { instance, vxlanPort } = facts;
  const name = networkTable(instance);
  const [bridge, inet] = [`bridge ${name}`, `inet ${name}`];
  const ours = quotePrefix(linkPrefix(instance));
  const bridges = quotePrefix(linkPrefix(instance, 'bridge'));
  const taps = quotePrefix(linkPrefix(instance, 'tap'));
  const gateways = quotePrefix(linkPrefix(instance, 'gateway'));
  const tunnels = quotePrefix(linkPrefix(instance, 'vxlan'));
  const uplinks = quotePrefix(linkPrefix(instance, 'uplink'));
  return toScript([
    `add table ${bridge}`,
    `add map ${bridge} taps { type ifname : verdict; }`,
    ...chain(bridge, 'prerouting', 'type filter hook prerouting priority -300', [
      'iifname vmap @taps',
      `iifname ${taps} drop`,
    ]),
    ...chain(bridge, 'input', 'type filter hook input priority -200', [`iifname ${ours} drop`]),
    ...chain(bridge, 'forward', 'type filter hook forward priority -200', [
      `iifname ${tunnels} oifname ${gateways} drop`,
      `iifname ${gateways} oifname ${tunnels} drop`,
      // To a gateway of another host, which is not heard there either.
      `iifname ${taps} oifname ${tunnels} udp dport 67 drop`,
    ]),
    ...chain(bridge, 'output', 'type filter hook output priority -200', [`oifname ${ours} drop`]),

    `add table ${inet}`,
    `add set ${inet} peers { type ipv4_addr; }`,
    ...fillSet(inet, 'peers', facts.peerAddresses),
    `add set ${inet} protected { type ipv4_addr; flags interval; auto-merge; }`,
    ...fillSet(inet, 'protected', [LINK_LOCAL, ...facts.protectedRanges]),
    // What is sent to the world, and comes from it, under an address of a card's own.
    `add set ${inet} externals { type ifname . ipv4_addr; }`,
    `add map ${inet} zones { type ifname : verdict; }`,
    `add set ${inet} rates { type ifname . ipv4_addr; flags dynamic,timeout; timeout 1m; }`,
    `add set ${inet} flows { type ifname . ipv4_addr; flags dynamic; }`,
    `add map ${inet} senders { type ifname . ipv4_addr : verdict; }`,
    `add map ${inet} receivers { type ifname . ipv4_addr : verdict; }`,
    // Before connection tracking, which comes at -200.
    ...chain(inet, 'prerouting', 'type filter hook prerouting priority -300', [
      'iifname vmap @zones',
    ]),
    ...chain(inet, 'input', 'type filter hook input priority -10', [
      `udp dport ${vxlanPort} ip saddr != @peers drop`,
      `iifname ${ours} drop`,
    ]),
    `add chain ${inet} guests`,
    ...chain(inet, 'forward', 'type filter hook forward priority -10', [
      `iifname ${bridges} oifname ${bridges} goto guests`,
      // Answers to whoever may come in: only those to external addresses do.
      `iifname ${uplinks} ct state established,related ct direction reply accept`,
      `oifname . ip daddr @externals accept`,
      `iifname ${uplinks} oifname ${ours} drop`,
      `iifname ${uplinks} ip daddr @protected drop`,
      `iifname ${uplinks} ip daddr @peers drop`,
      // No guest makes frames of any subnet for a host that we don't know.
      `iifname ${uplinks} udp dport ${vxlanPort} drop`,
      `iifname ${uplinks} accept`,
      `oifname ${uplinks} ct state established,related accept`,
      `iifname ${bridges} drop`,
      `oifname ${ours} drop`,
    ]),
    `flush chain ${inet} guests`,
    ...rules(inet, 'guests', [
      'ct state established,related accept',
      ...shareRules('iifname . ip saddr'),
      'iifname . ip saddr vmap @senders',
      'iifname . ip daddr vmap @receivers',
      'accept',
    ]),
    ...chain(inet, 'postrouting', 'type nat hook postrouting priority 100', [
      `iifname . ip saddr @externals accept`,
      `iifname ${uplinks} oifname != ${ours} masquerade`,
    ]),
  ]);
}

/** Removes both tables; that they are there is no condition, as adding them comes first. */
export function removeHostRulesScript(instance: string): string {
  const name = networkTable(instance);
  return toScript(
    ['bridge', 'inet'].flatMap((family) => [
      `add table ${family} ${name}`,
      `delete table ${family} ${name}`,
    ]),
  );
}

/** A base chain with these rules alone. */
function chain(table: string, name: string, hook: string, lines: readonly string[]): string[] {
  return [
    `add chain ${table} ${name} { ${hook}; policy accept; }`,
    `flush chain ${table} ${name}`,
    ...rules(table, name, lines),
  ];
}

function rules(table: string, name: string, lines: readonly string[]): string[] {
  return lines.map((line) => `add rule ${table} ${name} ${line}`);
}

function fillSet(table: string, name: string, elements: readonly string[]): string[] {
  const flush = `flush set ${table} ${name}`;
  if (elements.length === 0) return [flush];
  return [flush, `add element ${table} ${name} { ${[...new Set(elements)].sort().join(', ')} }`];
}

function quotePrefix(prefix: string): string {
  return `"${prefix}*"`;
}

/** Lines as nft reads them. */
export function toScript(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
