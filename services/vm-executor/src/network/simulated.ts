import type { SecurityRule, SubnetId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import { candidateName, nicIdentity, ownerInTag } from './names.ts';
import { nicRulesScript } from './nic-rules.ts';
import type { HostNetworkPort, Nic, NicRef, NicSeen, SubnetOnHost, SubnetPeers } from './port.ts';

/** A host's networks in memory, with what a test wants to look at. */
export interface SimulatedNetwork extends HostNetworkPort {
  /** Thrown instead of the next calls' work, for as long as it gives something. */
  mayFail: (operation: keyof HostNetworkPort) => Error | undefined;
  rulesOf(nic: NicRef): readonly SecurityRule[] | undefined;
  peersOf(subnetId: SubnetId): SubnetPeers | undefined;
  /** Whether a card with this tap is plugged. */
  hasTap(tapName: string): boolean;
  cards(): readonly NicSeen[];
  /** External addresses that cards have. */
  externals(): readonly string[];
  subnetIds(): readonly SubnetId[];
  /** The host's restart: nothing of it is left. */
  clear(): void;
}

/**
 * The simulated twin of `createHostNetwork`. @param pause awaited by each operation before its work
 */
export function createSimulatedNetwork(
  instance: string,
  pause: () => Promise<void> = async () => undefined,
  tunnelAddress: string | null = null,
): SimulatedNetwork {
  const subnets = new Set<SubnetId>();
  interface SimulatedNic extends NicSeen {
    readonly rules: readonly SecurityRule[];
    readonly externalAddress: string | null;
  }
  const nics = new Map<string, SimulatedNic>();
  const peers = new Map<SubnetId, SubnetPeers>();
  const keyOf = ({ subnetId, vmId, macAddress }: NicRef): string =>
    `${subnetId}/${vmId}/${macAddress}`;

  let ownerName = '';

  const begin = async (operation: keyof HostNetworkPort, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    await pause();
    signal.throwIfAborted();
    const failure = network.mayFail(operation);
    if (failure !== undefined) throw failure;
  };

  const chooseTap = (nic: Nic): string => {
    const taken = new Set([...nics.values()].map(({ tapName }) => tapName));
    const identity = nicIdentity({ ...nic, ownerName });
    for (let attempt = 0; ; attempt += 1) {
      const name = candidateName(instance, 'tap', identity, attempt);
      if (!taken.has(name)) return name;
    }
  };

  /** Refuses what the real one refuses. */
  const checkRules = (subnet: SubnetOnHost, nic: Nic, tapName: string): void => {
    const { gatewayAddress } = subnet;
    nicRulesScript({ instance, tapName, bridgeName: 'bridge', gatewayAddress, ...nic });
  };

  const remove = (refs: readonly NicRef[]): void => {
    for (const ref of refs) {
      const seen = nics.get(keyOf(ref));
      if (seen !== undefined && seen.ownerName !== ownerName) continue;
      nics.delete(keyOf(ref));
      const isUsed = [...nics.values()].some(({ subnetId }) => subnetId === ref.subnetId);
      if (!isUsed) dropSubnet(ref.subnetId);
    }
  };
  const dropSubnet = (subnetId: SubnetId): void => {
    subnets.delete(subnetId);
    peers.delete(subnetId);
  };

  const network: SimulatedNetwork = {
    tunnelAddress,
    mtuBytes: 1450,
    identify(agentHostName) {
      ownerName = ownerInTag(agentHostName);
    },
    isOwn: (nic) => nic.ownerName === ownerName,
    mayFail: () => undefined,
    hasTap: (tapName) => [...nics.values()].some((nic) => nic.tapName === tapName),
    cards: () => [...nics.values()],
    externals: () => [...nics.values()].flatMap((nic) => nic.externalAddress ?? []),
    subnetIds: () => [...subnets],
    clear() {
      for (const each of [subnets, nics, peers]) each.clear();
    },
    rulesOf: (nic) => nics.get(keyOf(nic))?.rules,
    peersOf: (subnetId) => peers.get(subnetId),
    async ensureSubnet({ subnetId }, signal) {
      await begin('ensureSubnet', signal);
      subnets.add(subnetId);
    },
    async plug(subnet, nic, signal) {
      await begin('plug', signal);
      const { subnetId, macAddress, ipAddress } = nic;
      const rival = [...nics.values()].find(
        (each) =>
          keyOf(each) !== keyOf(nic) &&
          each.subnetId === subnetId &&
          (each.macAddress === macAddress || each.ipAddress === ipAddress),
      );
      if (rival !== undefined)
        throw new VmFailure('NETWORK_ERROR', `${rival.vmId} has that address here`);
      const { externalAddress } = nic;
      for (const each of nics.values()) {
        const isRival = keyOf(each) !== keyOf(nic) && each.externalAddress === externalAddress;
        if (externalAddress === null || !isRival) continue;
        const message = `the external address ${externalAddress} is that of ${each.macAddress}`;
        throw new VmFailure('NETWORK_ERROR', message);
      }
      const former = nics.get(keyOf(nic));
      const isSame = former?.ipAddress === ipAddress && former.ownerName === ownerName;
      if (!isSame) nics.delete(keyOf(nic));
      const tapName = isSame ? former.tapName : chooseTap(nic);
      checkRules(subnet, nic, tapName);
      subnets.add(subnetId);
      const { vmId, securityRules: rules } = nic;
      nics.set(keyOf(nic), {
        vmId,
        subnetId,
        macAddress,
        ipAddress,
        ownerName,
        tapName,
        isAttached: true,
        rules,
        externalAddress,
      });
      return tapName;
    },
    async unplug(nic, signal) {
      await begin('unplug', signal);
      remove([nic]);
    },
    async unplugVm(vmId, known, signal) {
      await begin('unplugVm', signal);
      remove([...known, ...[...nics.values()].filter((nic) => nic.vmId === vmId)]);
    },
    async setPeers(told, signal) {
      await begin('setPeers', signal);
      const known = peers.get(told.subnetId);
      if (known !== undefined && known.epoch > told.epoch) return;
      peers.set(told.subnetId, told);
    },
    async setRules(subnet, nic, signal) {
      await begin('setRules', signal);
      const seen = nics.get(keyOf(nic));
      if (seen === undefined)
        throw new VmFailure('NETWORK_ERROR', `${nic.vmId} has no card ${nic.macAddress} here`);
      checkRules(subnet, nic, seen.tapName);
      nics.set(keyOf(nic), { ...seen, rules: nic.securityRules });
    },
    async dropUnused(signal) {
      await begin('dropUnused', signal);
      const inUse = new Set([...nics.values()].map(({ subnetId }) => subnetId));
      const dropped = [...subnets].filter((subnetId) => !inUse.has(subnetId));
      dropped.forEach(dropSubnet);
      return dropped.sort();
    },
    async removeAll(signal) {
      await begin('removeAll', signal);
      network.clear();
    },
    async inventory(signal) {
      await begin('inventory', signal);
      const seen = [...nics.values()].map(({ rules: _, externalAddress: __, ...nic }) => nic);
      return { nics: seen, subnetIds: [...subnets].sort(), strays: [] };
    },
    async externalAddresses(signal) {
      await begin('externalAddresses', signal);
      return network.externals();
    },
  };
  return network;
}
