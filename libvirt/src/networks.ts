import type { ResultFor, Rpc } from './rpc.ts';
import type {
  CallOptions,
  DhcpHost,
  DhcpLease,
  NetworkRef,
  Networks,
  NetworkUpdate,
} from './types.ts';
import { AFFECTS, flagsOf } from './wire.ts';

/** virConnectListAllNetworksFlags: the other way round than for domains. */
const LIST_FLAGS = { inactive: 1, active: 2 } as const;
/** virNetworkUpdateCommand. */
const COMMANDS: Readonly<Record<NetworkUpdate['command'], number>> = {
  modify: 1,
  delete: 2,
  'add-last': 3,
  'add-first': 4,
};
/** virNetworkUpdateSection. */
const SECTIONS: Readonly<Record<NetworkUpdate['section'], number>> = {
  bridge: 1,
  domain: 2,
  ip: 3,
  'ip-dhcp-host': 4,
  'ip-dhcp-range': 5,
  forward: 6,
  'forward-interface': 7,
  'forward-pf': 8,
  portgroup: 9,
  'dns-host': 10,
  'dns-txt': 11,
  'dns-srv': 12,
};
/** VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER. */
const FEATURE_UPDATE_ORDER = 16;
/** VIR_IP_ADDR_TYPE_IPV6. */
const TYPE_IPV6 = 1;

type WireLease = ResultFor<'networkGetDhcpLeases'>['leases'][number];

function leaseOf(lease: WireLease): DhcpLease {
  return {
    interfaceName: lease.interfaceName,
    expiresAtMs: lease.expiryTimeS === 0n ? undefined : Number(lease.expiryTimeS) * 1_000,
    family: lease.type === TYPE_IPV6 ? 'ipv6' : 'ipv4',
    mac: lease.mac,
    ip: lease.ip,
    prefix: lease.prefix,
    hostname: lease.hostname,
    clientId: lease.clientId,
    iaid: lease.iaid,
  };
}

function escapeAttribute(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&apos;')
    .replaceAll('"', '&quot;');
}

/** `<host mac= name= ip=/>`, the way libvirt writes a fixed lease. */
export function dhcpHostXml(host: DhcpHost): string {
  const name = host.name === undefined ? '' : ` name='${escapeAttribute(host.name)}'`;
  return `<host mac='${escapeAttribute(host.mac)}'${name} ip='${escapeAttribute(host.ip)}'/>`;
}

/**
 * libvirt before 7.2 had command and section the wrong way round on the wire, and says by a feature
 * whether it has them right (virNetworkUpdate in libvirt-network.c).
 */
async function update(
  rpc: Rpc,
  network: NetworkRef,
  change: NetworkUpdate,
  options?: CallOptions,
): Promise<void> {
  const feature = { feature: FEATURE_UPDATE_ORDER };
  const { supported } = await rpc.call('connectSupportsFeature', feature, options);
  const command = COMMANDS[change.command];
  const section = SECTIONS[change.section];
  const args = {
    network,
    command: supported ? command : section,
    section: supported ? section : command,
    parentIndex: change.parentIndex ?? -1,
    xml: change.xml,
    flags: AFFECTS[change.affect],
  };
  await rpc.call('networkUpdate', args, options);
}

type Definition = Pick<
  Networks,
  'define' | 'createXml' | 'undefine' | 'lookupByName' | 'lookupByUuid' | 'list' | 'setAutostart'
>;

function definition(rpc: Rpc): Definition {
  return {
    async define(xml, options) {
      return (await rpc.call('networkDefineXml', { xml }, options)).network;
    },
    async createXml(xml, options) {
      return (await rpc.call('networkCreateXml', { xml }, options)).network;
    },
    async undefine(network, options) {
      await rpc.call('networkUndefine', { network }, options);
    },
    async lookupByName(name, options) {
      return (await rpc.call('networkLookupByName', { name }, options)).network;
    },
    async lookupByUuid(uuid, options) {
      return (await rpc.call('networkLookupByUuid', { uuid }, options)).network;
    },
    async list(options = {}) {
      const flags = options.only === undefined ? 0 : LIST_FLAGS[options.only];
      return (await rpc.call('connectListAllNetworks', { needResults: true, flags }, options))
        .networks;
    },
    async setAutostart(network, autostart, options) {
      await rpc.call('networkSetAutostart', { network, autostart }, options);
    },
  };
}

type Operation = Omit<Networks, keyof Definition>;

function operation(rpc: Rpc): Operation {
  const changeHost =
    (command: NetworkUpdate['command']): Networks['addDhcpHost'] =>
    (network, host, options = {}) => {
      const affect = options.affect ?? 'live-and-config';
      const change = { command, section: 'ip-dhcp-host', xml: dhcpHostXml(host), affect } as const;
      return update(rpc, network, change, options);
    };
  return {
    async start(network, options) {
      await rpc.call('networkCreate', { network }, options);
    },
    async destroy(network, options) {
      await rpc.call('networkDestroy', { network }, options);
    },
    async getXml(network, options = {}) {
      const args = { network, flags: flagsOf([[1, options.inactive]]) };
      return (await rpc.call('networkGetXmlDesc', args, options)).xml;
    },
    async isActive(network, options) {
      return (await rpc.call('networkIsActive', { network }, options)).active;
    },
    async getBridgeName(network, options) {
      return (await rpc.call('networkGetBridgeName', { network }, options)).name;
    },
    update: (network, change, options) => update(rpc, network, change, options),
    addDhcpHost: changeHost('add-last'),
    deleteDhcpHost: changeHost('delete'),
    async dhcpLeases(network, options = {}) {
      const args = { network, mac: options.mac, needResults: true, flags: 0 };
      return (await rpc.call('networkGetDhcpLeases', args, options)).leases.map(leaseOf);
    },
  };
}

/** The {@link Networks} of a connection. */
export function createNetworks(rpc: Rpc): Networks {
  return { ...definition(rpc), ...operation(rpc) };
}
