import type { SubnetId } from '@factory/contracts';
import { type Clock, createLimiter, withProcessLock } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { RunCommand } from './commands.ts';
import { createDhcpServers, type DhcpServers } from './dhcp-server.ts';
import { removeHostRulesScript } from './host-rules.ts';
import { chooseLinkName, linkTag, type NicFacts, nicIdentity, ownerInTag } from './names.ts';
import { nicRulesScript, removeNicRulesScript } from './nic-rules.ts';
import { parseLinks, parseNamespaces, type SeenLink } from './observe.ts';
import type { HostNetworkPort, Nic, NicRef, NicSeen, SubnetOnHost } from './port.ts';
import { createStateFiles, type StateFiles } from './state-files.ts';
import { guestMtu, type HostFacts, nameSubnet, type SubnetNames } from './subnet-plan.ts';
import { createSubnets } from './subnets.ts';
import { nicsOf, takeInventory } from './take-inventory.ts';

/** A host as its networks know it. */
export interface HostNetworkOptions extends HostFacts {
  readonly clock: Clock;
  readonly run: RunCommand;
  /** Gone after the host's restart (`/run`); shared by all executors of the instance on the host. */
  readonly stateDir: string;
  /** IPv4 ranges that no guest may reach: the control plane, the network of the hosts. */
  readonly protectedRanges: readonly string[];
  /** DNS servers for what guests with egress ask; IPv4. */
  readonly nameServers: readonly string[];
  /** Makes a card's device; a test makes one that leads to a namespace instead of to QEMU. */
  readonly makeTap?: (name: string) => string;
}

/** What the parts of the adapter share. */
export interface HostNetworkContext extends HostNetworkOptions {
  readonly files: StateFiles;
  readonly dhcp: DhcpServers;
  readLinks(signal: AbortSignal): Promise<readonly SeenLink[]>;
  readNamespaces(signal: AbortSignal): Promise<readonly string[]>;
  /** Runs one nft transaction. */
  nft(script: string, signal: AbortSignal): Promise<void>;
  /** Runs commands of `ip -batch` or `bridge -batch`, up to the first that fails. */
  batch(program: 'ip' | 'bridge', lines: readonly string[], signal: AbortSignal): Promise<void>;
}

/** A card that somebody waits for. */
interface PlugRequest {
  readonly subnet: SubnetOnHost;
  readonly nic: Nic;
  readonly signal: AbortSignal;
  readonly resolve: (tapName: string) => void;
  readonly reject: (error: unknown) => void;
}

/** A card with the names that it gets. */
interface CardPlan extends Pick<PlugRequest, 'subnet' | 'nic'> {
  readonly names: SubnetNames;
  readonly bridgeName: string;
  readonly tapName: string;
  readonly tag: string;
  readonly isThere: boolean;
}

const NOT_PLUGGED = { master: null, isUp: false, vxlan: null } as const;

/** Others may be making a subnet, which takes about 0.2 s. */
const LOCK_TIMEOUT_MS = 30_000;

/**
 * The networks of a Linux host, by iproute2, nftables and dnsmasq; needs root. Each operation looks
 * at what is there and does what lacks, while it holds the lock of the host.
 */
export function createHostNetwork(options: HostNetworkOptions): HostNetworkPort {
  const context = contextOf(options);
  const { clock, stateDir, instance, files, dhcp } = context;
  const subnets = createSubnets(context);
  const mtuBytes = guestMtu(context);
  let ownerName = '';
  const makeTap = options.makeTap ?? ((name) => `tuntap add dev ${name} mode tap`);

  // In this process by a queue, as those who wait for the lock of the host look every 20 ms.
  const inTurn = createLimiter(1);
  const locked = <T>(work: () => Promise<T>): Promise<T> =>
    inTurn(() =>
      withProcessLock(
        { name: `network ${instance} ${stateDir}`, clock, timeoutMs: LOCK_TIMEOUT_MS },
        work,
      ),
    );

  /** Unplugs one card, of which there may be anything from all to nothing. */
  const removeCard = async (
    ref: NicRef,
    links: readonly SeenLink[],
    signal: AbortSignal,
  ): Promise<void> => {
    const seen = nicsOf(instance, links).find((nic) => isSameNic(nic, ref));
    const folder = files.folder(ref.subnetId);
    const ipAddress = seen?.ipAddress ?? (await dhcp.leasedAddress(folder, ref.macAddress));
    if (ipAddress === undefined) return;
    const tapName =
      seen?.tapName ??
      chooseLinkName(instance, 'tap', nicIdentity({ ...ref, ipAddress, ownerName }), links);
    const bridgeName = nameSubnet(context, ref, links).bridge;
    const { macAddress } = ref;
    // The tap goes last: as long as it is there, its tag tells what else there is.
    const script = removeNicRulesScript({ instance, tapName, bridgeName, macAddress, ipAddress });
    await subnets.externals.take(ref.subnetId, macAddress, signal);
    await subnets.applyRules(script, signal);
    await dhcp.removeNic(folder, macAddress);
    if (seen !== undefined) await context.batch('ip', [`link del dev ${tapName}`], signal);
  };

  /** Unplugs cards, and drops their subnets that have no others. */
  const unplugLocked = async (
    cardsAmong: (seen: readonly NicSeen[]) => readonly NicRef[],
    signal: AbortSignal,
  ): Promise<void> => {
    const links = await context.readLinks(signal);
    const all = nicsOf(instance, links);
    const isOurs = (ref: NicRef): boolean =>
      all.every((nic) => !isSameNic(nic, ref) || nic.ownerName === ownerName);
    const refs = cardsAmong(all).filter(isOurs);
    for (const ref of refs) await removeCard(ref, links, signal);
    const left = all.filter((nic) => !refs.some((ref) => isSameNic(nic, ref)));
    for (const subnetId of new Set(refs.map((ref) => ref.subnetId))) {
      if (left.some((nic) => nic.subnetId === subnetId)) continue;
      if (await subnets.isHere(subnetId, links)) await subnets.drop(subnetId, signal);
    }
    if (left.length === 0) await context.nft(removeHostRulesScript(instance), signal);
  };

  /** Plugs cards with one run of each program, so that many cost little more than one. */
  const plugLocked = async (wanted: readonly PlugRequest[], signal: AbortSignal) => {
    const links = [...(await context.readLinks(signal))];
    const namesOf = new Map<string, SubnetNames>();
    const cards: CardPlan[] = [];
    for (const { subnet, nic } of wanted) {
      await makeWay(nic, links, signal);
      const key = JSON.stringify(subnet);
      const names = namesOf.get(key) ?? (await subnets.ensure(subnet, links, signal));
      namesOf.set(key, names);
      const tag = linkTag(instance, 'tap', nicIdentity({ ...nic, ownerName }));
      const tapName = chooseLinkName(instance, 'tap', nicIdentity({ ...nic, ownerName }), links);
      const isThere = links.some((link) => link.name === tapName);
      if (!isThere) links.push({ name: tapName, alias: tag, ...NOT_PLUGGED });
      cards.push({ subnet, nic, names, bridgeName: names.bridge, tapName, tag, isThere });
    }
    // The tag goes on at once: all else is found by it, whenever this is broken off. Until the card
    // has rules, those of the host let nothing out of it.
    const ip = cards.flatMap(({ tapName, tag, bridgeName, isThere }) => [
      ...(isThere ? [] : [makeTap(tapName)]),
      `link set dev ${tapName} alias ${tag}`,
      `link set dev ${tapName} addrgenmode none mtu ${mtuBytes} master ${bridgeName}`,
      // Where it is, is told to the bridge; so it learns nothing, and nothing is tried out on it.
      `link set dev ${tapName} type bridge_slave guard on learning off flood off`,
      `link set dev ${tapName} up`,
    ]);
    await context.batch('ip', ip, signal);
    const fdb = cards.map(
      ({ nic, tapName }) => `fdb replace ${nic.macAddress} dev ${tapName} master static`,
    );
    await context.batch('bridge', fdb, signal);
    await writeRules(cards, signal);
    for (const { subnet, nic, names } of cards) {
      await dhcp.addNic(files.folder(subnet.subnetId), nic, subnet.dnsDomain);
      await subnets.externals.give(subnet, nic, names, signal);
    }
    return cards.map(({ tapName }) => tapName);
  };

  /** Refuses a card whose address another has; one of its own that is otherwise goes. */
  const makeWay = async (nic: Nic, links: SeenLink[], signal: AbortSignal): Promise<void> => {
    const seen = nicsOf(instance, links);
    const rival = seen.find((each) => isRival(each, nic));
    if (rival !== undefined)
      throw new VmFailure(
        'NETWORK_ERROR',
        `${rival.vmId} has ${rival.macAddress} and ${rival.ipAddress} in ${nic.subnetId} here`,
      );
    const facts = { ...nic, ownerName };
    const former = seen.find((each) => isSameNic(each, nic) && !isSameIdentity(each, facts));
    if (former === undefined) return;
    await removeCard(former, links, signal);
    links.splice(
      links.findIndex(({ name }) => name === former.tapName),
      1,
    );
  };

  const waiting: PlugRequest[] = [];
  /** Plugs all that have come while others had their turn; one that can't be holds up no other. */
  const plugWaiting = async (): Promise<void> => {
    const requests = waiting.splice(0).filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    const [only] = requests;
    if (only === undefined) return;
    // Of several none ends the others' work: each command has a deadline of its own.
    const signal = requests.length === 1 ? only.signal : new AbortController().signal;
    try {
      const taps = await plugLocked(requests, signal);
      for (const [index, { resolve }] of requests.entries()) resolve(taps[index] ?? '');
    } catch (error) {
      if (requests.length === 1) only.reject(error);
      else for (const request of requests) await plugAlone(request);
    }
  };
  const plugAlone = async (request: PlugRequest): Promise<void> => {
    try {
      const [tap = ''] = await plugLocked([request], request.signal);
      request.resolve(tap);
    } catch (error) {
      request.reject(error);
    }
  };
  const plug = async (subnet: SubnetOnHost, nic: Nic, signal: AbortSignal): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting.push({ subnet, nic, signal, resolve, reject });
    const refuse = (error: unknown): void => {
      for (const request of waiting.splice(0)) request.reject(error);
    };
    if (waiting.length === 1) locked(plugWaiting).catch(refuse);
    return await promise;
  };

  const writeRules = async (
    cards: readonly Pick<CardPlan, 'subnet' | 'nic' | 'tapName' | 'bridgeName'>[],
    signal: AbortSignal,
  ): Promise<void> => {
    const isTracked = cards.filter(({ nic }) => nic.securityRules.length > 0);
    for (const bridgeName of new Set(isTracked.map((card) => card.bridgeName)))
      await subnets.trackConnections(bridgeName, signal);
    const scripts = cards.map(({ subnet, nic, tapName, bridgeName }) => {
      const { gatewayAddress } = subnet;
      return nicRulesScript({ instance, tapName, bridgeName, gatewayAddress, ...nic });
    });
    await subnets.applyRules(scripts.join(''), signal);
  };

  const dropUnusedLocked = async (signal: AbortSignal): Promise<readonly SubnetId[]> => {
    const { nics, subnetIds, strays } = await takeInventory(context, signal);
    const inUse = new Set(nics.map(({ subnetId }) => subnetId));
    const unused = subnetIds.filter((subnetId) => !inUse.has(subnetId));
    for (const subnetId of unused) await subnets.drop(subnetId, signal);
    const removals = strays.map((name) => `link del dev ${name}`);
    await context.batch('ip', removals, signal);
    if (inUse.size === 0) await context.nft(removeHostRulesScript(instance), signal);
    return unused;
  };

  return {
    tunnelAddress: context.tunnelAddress,
    mtuBytes,
    identify(agentHostName) {
      ownerName = ownerInTag(agentHostName);
    },
    isOwn: (nic) => nic.ownerName === ownerName,
    ensureSubnet: (subnet, signal) =>
      locked(async () => {
        await subnets.ensure(subnet, await context.readLinks(signal), signal);
      }),
    plug,
    unplug: (nic, signal) => locked(() => unplugLocked(() => [nic], signal)),
    unplugVm: (vmId, nics, signal) =>
      locked(() => {
        const isOfVm = (seen: NicSeen): boolean =>
          seen.vmId === vmId && !nics.some((nic) => isSameNic(nic, seen));
        return unplugLocked((all) => [...nics, ...all.filter(isOfVm)], signal);
      }),
    setPeers: (peers, signal) => locked(() => subnets.setPeers(peers, signal)),
    setRules: (subnet, nic, signal) =>
      locked(async () => {
        const links = await context.readLinks(signal);
        const seen = nicsOf(instance, links).find((each) => isSameNic(each, nic));
        if (seen === undefined)
          throw new VmFailure('NETWORK_ERROR', `${nic.vmId} has no card ${nic.macAddress} here`);
        const { bridge: bridgeName } = nameSubnet(context, nic, links);
        await writeRules([{ subnet, nic, tapName: seen.tapName, bridgeName }], signal);
      }),
    dropUnused: (signal) => locked(() => dropUnusedLocked(signal)),
    removeAll: (signal) =>
      locked(async () => {
        const links = await context.readLinks(signal);
        for (const nic of nicsOf(instance, links)) await removeCard(nic, links, signal);
        await dropUnusedLocked(signal);
        await files.removeAll();
      }),
    inventory: (signal) => takeInventory(context, signal),
    externalAddresses: () => subnets.externals.list(),
  };
}

function contextOf(options: HostNetworkOptions): HostNetworkContext {
  const { run } = options;
  const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
  return {
    ...options,
    files: createStateFiles(options.stateDir),
    dhcp: createDhcpServers(options),
    async readLinks(signal) {
      return parseLinks(await run(['ip', '-json', '-details', 'link', 'show'], { signal }));
    },
    async readNamespaces(signal) {
      return parseNamespaces(await run(['ip', '-json', 'netns', 'list'], { signal }));
    },
    async nft(script, signal) {
      await run(['nft', '-f', '-'], { input: script, signal });
    },
    async batch(program, commands, signal) {
      if (commands.length === 0) return;
      await run([program, '-batch', '-'], { input: lines(commands), signal });
    },
  };
}

function isSameNic(one: NicRef, other: NicRef): boolean {
  return (
    one.vmId === other.vmId &&
    one.subnetId === other.subnetId &&
    one.macAddress === other.macAddress
  );
}

/** Whether a card's tag is what it would be made with. */
function isSameIdentity(one: NicFacts, other: NicFacts): boolean {
  return nicIdentity(one) === nicIdentity(other);
}

/** Whether another card has what this one is to have. */
function isRival(seen: NicRef & { readonly ipAddress: string }, nic: Nic): boolean {
  if (seen.subnetId !== nic.subnetId || isSameNic(seen, nic)) return false;
  return seen.macAddress === nic.macAddress || seen.ipAddress === nic.ipAddress;
}
