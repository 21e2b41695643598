import type { SubnetId } from '@factory/contracts';
import { formatRange, parseRange } from './addresses.ts';
import { createExternals, type Externals } from './externals.ts';
import type { HostNetworkContext } from './host-network.ts';
import { hostRulesScript } from './host-rules.ts';
import { gatewayMac, readTag, shortHash } from './names.ts';
import { removeZoneScript, zoneScript } from './nic-rules.ts';
import { parseFdb, type SeenLink } from './observe.ts';
import { fdbCommands, wantedFdb } from './peers-plan.ts';
import type { SubnetOnHost, SubnetPeers } from './port.ts';
import {
  areLinksComplete,
  freeSlot,
  guestMtu,
  hostLinkCommands,
  nameSubnet,
  namespaceLinkCommands,
  namespaceRulesScript,
  namespaceSettings,
  type SubnetNames,
} from './subnet-plan.ts';

/** The subnets of a host; whoever calls holds its lock. */
export interface Subnets {
  /** The external addresses of the cards in them. */
  readonly externals: Externals;
  /** Makes what these links lack of a subnet. Gives the names of its links. */
  ensure(
    subnet: SubnetOnHost,
    links: readonly SeenLink[],
    signal: AbortSignal,
  ): Promise<SubnetNames>;
  setPeers(peers: SubnetPeers, signal: AbortSignal): Promise<void>;
  /** Whether anything of a subnet is on this host. */
  isHere(subnetId: SubnetId, links: readonly SeenLink[]): Promise<boolean>;
  /** Removes a subnet that has no cards, from whatever state. */
  drop(subnetId: SubnetId, signal: AbortSignal): Promise<void>;
  /** Runs an nft script that builds on the rules of the whole host. */
  applyRules(script: string, signal: AbortSignal): Promise<void>;
  /** Lets the kernel track connections of bridged packets, for security rules. */
  trackConnections(bridgeName: string, signal: AbortSignal): Promise<void>;
}

/** Zone 0 is that of the host itself. */
const FIRST_ZONE = 1;

export function createSubnets(context: HostNetworkContext): Subnets {
  const { instance, files, dhcp, run, nft, batch } = context;
  const externals = createExternals(context);
  /** The hosts of each subnet that this process has put into the rules. */
  const hostsInRules = new Map<SubnetId, string>();

  const hostRules = async (): Promise<string> => {
    const told = (await files.allPeers()).flatMap(({ peers }) => peers);
    return hostRulesScript({
      instance,
      vxlanPort: context.vxlanPort,
      peerAddresses: told.map(({ tunnelAddress }) => tunnelAddress),
      protectedRanges: context.protectedRanges.map((range) => formatRange(parseRange(range))),
    });
  };

  /** A slot stays with its subnet, through restarts of everything but the host. */
  const slotOf = async (subnetId: SubnetId): Promise<number> => {
    const own = await files.read(subnetId);
    if (own !== undefined) return own.slot;
    const states = await Promise.all((await files.list()).map(files.read));
    return freeSlot(new Set(states.flatMap((state) => state?.slot ?? [])));
  };

  /** Gives the links that are left after it. */
  const ensureNamespace = async (
    subnetId: SubnetId,
    names: SubnetNames,
    signal: AbortSignal,
  ): Promise<readonly SeenLink[]> => {
    const { namespace, gateway, uplink } = names;
    if ((await context.readNamespaces(signal)).includes(namespace)) {
      if (await succeeds(run(['ip', 'netns', 'exec', namespace, 'true'], { signal })))
        return await context.readLinks(signal);
      // A file without a namespace: its making was broken off.
      await run(['ip', 'netns', 'delete', namespace], { signal });
    }
    // What leads into a namespace that has lost its name is of no use.
    await dhcp.stop(files.folder(subnetId));
    const links = await context.readLinks(signal);
    const stale = links.filter(({ name }) => name === gateway || name === uplink);
    await batch(
      'ip',
      stale.map(({ name }) => `link del dev ${name}`),
      signal,
    );
    await run(['ip', 'netns', 'add', namespace], { signal });
    return links.filter((link) => !stale.includes(link));
  };

  const applyPeers = async (
    peers: SubnetPeers,
    dnsDomain: string,
    names: SubnetNames,
    hasTunnel: boolean,
    signal: AbortSignal,
  ): Promise<void> => {
    await dhcp.setPeers(files.folder(peers.subnetId), peers.peers, dnsDomain);
    if (!hasTunnel) return;
    const shown = await run(['bridge', '-json', 'fdb', 'show', 'dev', names.vxlan], { signal });
    const wanted = wantedFdb(peers, context.tunnelAddress ?? '');
    await batch('bridge', fdbCommands(names.vxlan, wanted, parseFdb(shown)), signal);
  };

  const make = async (
    subnet: SubnetOnHost,
    names: SubnetNames,
    slot: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const { subnetId, egress, dnsDomain } = subnet;
    const { namespace, bridge, gateway } = names;
    const inside = ['ip', 'netns', 'exec', namespace] as const;
    const links = await ensureNamespace(subnetId, names, signal);
    // Rules first: from its first frame a link is under them.
    await nft((await hostRules()) + zoneScript(instance, bridge, FIRST_ZONE + slot), signal);
    const commands = hostLinkCommands(context, subnet, names, links, slot);
    await batch('ip', commands, signal);
    const gatewayEntry = `fdb replace ${gatewayMac(subnetId)} dev ${gateway} master static`;
    await batch('bridge', [gatewayEntry], signal);

    await run([...inside, ...kernelSettings(namespaceSettings(subnet))], { signal });
    await run([...inside, 'nft', '-f', '-'], { input: namespaceRulesScript(subnet), signal });
    const input = namespaceLinkCommands(context, subnet, slot)
      .map((each) => `${each}\n`)
      .join('');
    await run(['ip', '-netns', namespace, '-batch', '-'], { input, signal });
    if (egress === 'nat') await run(kernelSettings({ 'net/ipv4/ip_forward': 1 }), { signal });

    await externals.restore(subnet, names, signal);
    const hasTunnel = context.tunnelAddress !== null && subnet.vni !== null;
    const peers = (await files.readPeers(subnetId)) ?? { subnetId, epoch: 0, peers: [] };
    await applyPeers(peers, dnsDomain, names, hasTunnel, signal);
    const facts = { mtu: guestMtu(context), nameServers: context.nameServers };
    await dhcp.restart(files.folder(subnetId), namespace, subnet, facts, signal);
  };

  return {
    externals,
    async applyRules(script, signal) {
      // The rules of the host are there, unless somebody has flushed all. Half the time without.
      if (await succeeds(nft(script, signal))) return;
      await nft((await hostRules()) + script, signal);
    },
    async ensure(subnet, links, signal) {
      const { subnetId, dnsDomain } = subnet;
      const names = nameSubnet(context, subnet, links);
      const state = await files.read(subnetId);
      const digest = digestOf(context, subnet, names);
      const isComplete =
        state?.digest === digest &&
        areLinksComplete(context, subnet, names, links) &&
        (await dhcp.isRunning(files.folder(subnetId)));
      if (isComplete) return names;

      const slot = await slotOf(subnetId);
      await files.makeFolders(subnetId);
      await files.write(subnetId, { slot, dnsDomain, digest: null });
      await make(subnet, names, slot, signal);
      await files.write(subnetId, { slot, dnsDomain, digest });
      return names;
    },
    async setPeers(peers, signal) {
      const { subnetId } = peers;
      const known = await files.readPeers(subnetId);
      if (known !== undefined && known.epoch > peers.epoch) return;
      await files.writePeers(peers);
      const state = await files.read(subnetId);
      if (state === undefined) return;
      const links = await context.readLinks(signal);
      const names = nameSubnet(context, peers, links);
      const hasTunnel = links.some((link) => link.name === names.vxlan);
      // Mostly there are other cards on the same hosts. What is told again is made again.
      const hosts = peers.peers.map(({ tunnelAddress }) => tunnelAddress).join();
      const isNews = known === undefined || known.epoch < peers.epoch;
      if (!isNews || hostsInRules.get(subnetId) !== hosts) {
        await nft(await hostRules(), signal);
        hostsInRules.set(subnetId, hosts);
      }
      await applyPeers(peers, state.dnsDomain, names, hasTunnel, signal);
    },
    async isHere(subnetId, links) {
      const isOfSubnet = ({ alias }: SeenLink): boolean =>
        readTag(instance, alias)?.identity === subnetId;
      if (links.some(isOfSubnet) || (await files.list()).includes(subnetId)) return true;
      return (await files.readPeers(subnetId)) !== undefined;
    },
    async drop(subnetId, signal) {
      const state = await files.read(subnetId);
      if (state !== undefined) await files.write(subnetId, { ...state, digest: null });
      const links = await context.readLinks(signal);
      const names = nameSubnet(context, { subnetId }, links);
      const { namespace, bridge, vxlan, gateway, uplink } = names;
      await dhcp.stop(files.folder(subnetId));
      await externals.takeAll(subnetId, signal);
      await nft((await hostRules()) + removeZoneScript(instance, bridge), signal);
      const present = [uplink, gateway, vxlan, bridge].filter((name) =>
        links.some((link) => link.name === name),
      );
      await batch(
        'ip',
        present.map((name) => `link del dev ${name}`),
        signal,
      );
      if ((await context.readNamespaces(signal)).includes(namespace))
        await run(['ip', 'netns', 'delete', namespace], { signal });
      await files.remove(subnetId);
      // Whoever tells of peers repeats it for a subnet that comes again.
      await files.writePeers({ subnetId, epoch: 0, peers: [] });
    },
    async trackConnections(bridgeName, signal) {
      const global = 'net/bridge/bridge-nf-call-iptables';
      if (!(await succeeds(run(['test', '-e', `/proc/sys/${global}`], { signal })))) {
        await run(['modprobe', 'br_netfilter'], { signal });
        // Loaded, it is on for all bridges of the host; we want it for this one.
        await run(kernelSettings({ [global]: 0 }), { signal });
      }
      await batch('ip', [`link set dev ${bridgeName} type bridge nf_call_iptables 1`], signal);
    },
  };
}

/** Counts what is made differently from the same; subnets of before are then made anew. */
const RULES_VERSION = 3;

/** Of all that a subnet on a host is made from. */
function digestOf(context: HostNetworkContext, subnet: SubnetOnHost, names: SubnetNames): string {
  const { tunnelAddress, vxlanPort, underlayMtu, nameServers, protectedRanges } = context;
  const { subnetId, vni, cidr, gatewayAddress, egress, dnsDomain } = subnet;
  const host = { tunnelAddress, vxlanPort, underlayMtu, nameServers, protectedRanges };
  const what = {
    version: RULES_VERSION,
    host,
    names,
    subnetId,
    vni,
    cidr,
    gatewayAddress,
    egress,
    dnsDomain,
  };
  return shortHash(JSON.stringify(what), 32);
}

/** The command that writes settings under /proc/sys; sysctl(8) is not on every host. */
function kernelSettings(
  settings: Readonly<Record<string, number>>,
): readonly [string, ...string[]] {
  const writes = Object.entries(settings).map(
    ([name, value]) => `echo ${value} >/proc/sys/${name}`,
  );
  return ['sh', '-c', writes.join(' && ')];
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}
