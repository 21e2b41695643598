import { join } from 'node:path';
import {
  checkDnsName,
  checkMac,
  formatAddress,
  netmask,
  parseAddress,
  parseRange,
} from './addresses.ts';
import type { Nic, Peer, SubnetOnHost } from './port.ts';

/** Files of a subnet's DHCP and DNS server (dnsmasq). */
export interface DhcpFiles {
  readonly config: string;
  readonly pid: string;
  readonly log: string;
  /** A file for each card; one more is read without a restart. */
  readonly leases: string;
  readonly names: string;
}

/** The files within a subnet's folder. */
export function dhcpFiles(folder: string): DhcpFiles {
  return {
    config: join(folder, 'dnsmasq.conf'),
    pid: join(folder, 'dnsmasq.pid'),
    log: join(folder, 'dnsmasq.log'),
    leases: join(folder, 'leases'),
    names: join(folder, 'names'),
  };
}

/** What the server is told besides the subnet. */
export interface DhcpFacts {
  /** What guests may send in one piece, in bytes. */
  readonly mtu: number;
  /** DNS servers that names outside the subnet are asked of, where it has egress. */
  readonly nameServers: readonly string[];
}

/**
 * Configuration of dnsmasq(8). It answers known cards only, each for ever with the address that it
 * was given; so it need not remember leases, and what it forgets by a restart it accepts again
 * (`dhcp-authoritative`). Without egress guests get no router, and only names of their subnet.
 */
export function dhcpConfig(subnet: SubnetOnHost, files: DhcpFiles, facts: DhcpFacts): string {
  const { first, prefixLength } = parseRange(subnet.cidr);
  const gateway = formatAddress(parseAddress(subnet.gatewayAddress));
  const domain = checkDnsName(subnet.dnsDomain);
  const hasEgress = subnet.egress === 'nat';
  const servers = hasEgress
    ? facts.nameServers.map((each) => formatAddress(parseAddress(each)))
    : [];
  return `${[
    `interface=gw0`,
    'except-interface=lo',
    'bind-interfaces',
    'user=nobody',
    'group=nogroup',
    `pid-file=${files.pid}`,
    `log-facility=${files.log}`,
    'quiet-dhcp',
    'no-hosts',
    'no-resolv',
    ...servers.map((server) => `server=${server}`),
    `domain=${domain}`,
    `local=/${domain}/`,
    'domain-needed',
    'bogus-priv',
    `hostsdir=${files.names}`,
    `dhcp-range=${formatAddress(first)},static,${netmask(prefixLength)},infinite`,
    `dhcp-hostsdir=${files.leases}`,
    'dhcp-authoritative',
    'leasefile-ro',
    'no-ping',
    // 3: the router; without a value there is none.
    hasEgress ? `dhcp-option=3,${gateway}` : 'dhcp-option=3',
    `dhcp-option=6,${gateway}`,
    `dhcp-option=26,${facts.mtu}`,
  ].join('\n')}\n`;
}

/** A card's file in both folders. dnsmasq leaves out names that begin with a dot. */
export function nicFileName(macAddress: string): string {
  return checkMac(macAddress).replaceAll(':', '');
}

/** A card's file among the leases. */
export function leaseFile(nic: Nic): string {
  const ip = formatAddress(parseAddress(nic.ipAddress));
  return `${checkMac(nic.macAddress)},${ip},${checkDnsName(nic.hostname)},infinite\n`;
}

/** A card's file among the names. */
export function namesFile(nics: Peer['nics'], dnsDomain: string): string {
  const domain = checkDnsName(dnsDomain);
  const lines = nics.map(({ ipAddress, hostname }) => {
    const name = checkDnsName(hostname);
    return `${formatAddress(parseAddress(ipAddress))} ${name}.${domain} ${name}\n`;
  });
  return lines.join('');
}
