import type { SubnetId } from '@factory/contracts';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { VmFailure } from '../failures.ts';
import { formatAddress, isInRange, parseAddress, parseRange } from './addresses.ts';
import type { HostNetworkContext } from './host-network.ts';
import { linkPrefix, namespaceName, networkTable } from './names.ts';
import { parseJson } from './observe.ts';
import type { Nic, SubnetOnHost } from './port.ts';
import type { External } from './state-files.ts';
import { namespaceExternalsScript, type SubnetNames, uplinkAddresses } from './subnet-plan.ts';

/** The external addresses of a host's cards; whoever calls holds the host's lock. */
export interface Externals {
  /** Gives a plugged card the one that it is to have, in place of another or none. */
  give(subnet: SubnetOnHost, nic: Nic, names: SubnetNames, signal: AbortSignal): Promise<void>;
  /** Takes away that of a card, if it has one. */
  take(subnetId: SubnetId, macAddress: string, signal: AbortSignal): Promise<void>;
  /** Takes away those of all cards of a subnet. */
  takeAll(subnetId: SubnetId, signal: AbortSignal): Promise<void>;
  /** Makes a subnet's again whose links, or whose egress, are new. */
  restore(subnet: SubnetOnHost, names: SubnetNames, signal: AbortSignal): Promise<void>;
  /** Of all cards on the host. */
  list(): Promise<readonly string[]>;
}

const RoutesSchema = Type.Array(Type.Object({ dev: Type.Optional(Type.String()) }));
const ProxiesSchema = Type.Array(
  Type.Object({ dst: Type.Optional(Type.String()), dev: Type.Optional(Type.String()) }),
);
const AddressesSchema = Type.Array(
  Type.Object({
    ifname: Type.Optional(Type.String()),
    addr_info: Type.Optional(
      Type.Array(
        Type.Object({
          local: Type.Optional(Type.String()),
          prefixlen: Type.Optional(Type.Integer()),
        }),
      ),
    ),
  }),
);

/**
 * External addresses by a route into the subnet's namespace, which translates; the namespace alone
 * knows which of several cards with the same address is meant. Where the address is of a network
 * that the host is in, the host answers for it (ARP), else the network routes it here by itself.
 * Written down before anything is done, and forgotten after all is undone.
 */
export function createExternals(context: HostNetworkContext): Externals {
  const { instance, files, run, nft, batch } = context;

  /** @throws VmFailure when another card, or somebody else on the host, has it. */
  const checkIsFree = async (nic: Nic, address: string, signal: AbortSignal): Promise<void> => {
    for (const subnetId of await files.list()) {
      const rival = (await files.readExternals(subnetId)).find(
        (each) => each.externalAddress === address,
      );
      const isOwn = subnetId === nic.subnetId && rival?.macAddress === nic.macAddress;
      if (rival === undefined || isOwn) continue;
      const holder = `${rival.macAddress} in ${subnetId}`;
      throw new VmFailure('NETWORK_ERROR', `the external address ${address} is that of ${holder}`);
    }
    const strangers = (await routesTo(address, signal)).filter((device) => !isOurs(device));
    if (strangers.length === 0) return;
    const message = `the host sends what comes for ${address} to ${strangers.join(', ')}`;
    throw new VmFailure('NETWORK_ERROR', `${message}: take it from its external addresses`);
  };

  const isOurs = (device: string): boolean => device.startsWith(linkPrefix(instance));

  const routesTo = async (address: string, signal: AbortSignal): Promise<readonly string[]> => {
    const shown = await run(['ip', '-json', 'route', 'show', `${address}/32`], { signal });
    return Value.Parse(RoutesSchema, parseJson(shown)).flatMap(({ dev }) => dev ?? []);
  };

  /** Devices of networks that the address is of. */
  const devicesNextTo = async (
    address: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const shown = await run(['ip', '-json', '-4', 'addr', 'show'], { signal });
    return Value.Parse(AddressesSchema, parseJson(shown)).flatMap(({ ifname, addr_info = [] }) => {
      const isNextTo = addr_info.some(
        ({ local, prefixlen }) =>
          local !== undefined &&
          prefixlen !== undefined &&
          isInRange(parseAddress(address), parseRange(`${local}/${prefixlen}`)),
      );
      return ifname !== undefined && isNextTo && !isOurs(ifname) ? [ifname] : [];
    });
  };

  const element = ({ externalAddress }: External, uplink: string): string =>
    `element inet ${networkTable(instance)} externals { "${uplink}" . ${externalAddress} }\n`;

  const apply = async (
    external: External,
    { uplink }: SubnetNames,
    slot: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const { externalAddress } = external;
    await nft(`add ${element(external, uplink)}`, signal);
    const via = `via ${uplinkAddresses(slot).subnet} dev ${uplink}`;
    const devices = await devicesNextTo(externalAddress, signal);
    await batch(
      'ip',
      [
        `route replace ${externalAddress}/32 ${via}`,
        ...devices.map((device) => `neigh replace proxy ${externalAddress} dev ${device}`),
      ],
      signal,
    );
  };

  /** Of its way here there may be all or nothing. */
  const withdraw = async ({ externalAddress }: External, signal: AbortSignal): Promise<void> => {
    const shown = await run(['ip', '-json', 'neigh', 'show', 'proxy'], { signal });
    const proxies = Value.Parse(ProxiesSchema, parseJson(shown)).flatMap(({ dst, dev }) =>
      dst === externalAddress && dev !== undefined ? dev : [],
    );
    const routes = (await routesTo(externalAddress, signal)).filter(isOurs);
    await batch(
      'ip',
      [
        ...proxies.map((device) => `neigh del proxy ${externalAddress} dev ${device}`),
        ...routes.map((device) => `route del ${externalAddress}/32 dev ${device}`),
      ],
      signal,
    );
  };

  /** Removes elements of the set by what the set has, as an uplink's name may be known no more. */
  const forget = async (address: string, signal: AbortSignal): Promise<void> => {
    const table = networkTable(instance);
    const shown = await run(['nft', 'list', 'set', 'inet', table, 'externals'], { signal }).catch(
      () => '',
    );
    const pattern = /"([^"]+)" \. ([0-9.]+)/g;
    const present = Array.from(shown.matchAll(pattern), ([, device = '', outer = '']) => ({
      device,
      outer,
    })).filter(({ outer }) => outer === address);
    if (present.length === 0) return;
    const script = present.map(
      ({ device }) => `delete element inet ${table} externals { "${device}" . ${address} }\n`,
    );
    await nft(script.join(''), signal);
  };

  /** The namespace's rules translate these, and none else. */
  const translate = async (
    subnetId: SubnetId,
    all: readonly External[],
    signal: AbortSignal,
  ): Promise<void> => {
    const namespace = namespaceName(instance, subnetId);
    const input = namespaceExternalsScript(all);
    await run(['ip', 'netns', 'exec', namespace, 'nft', '-f', '-'], { input, signal });
  };

  const takeAway = async (external: External, signal: AbortSignal): Promise<void> => {
    await withdraw(external, signal);
    await forget(external.externalAddress, signal);
  };

  const applyAll = async (
    subnet: SubnetOnHost,
    names: SubnetNames,
    all: readonly External[],
    signal: AbortSignal,
  ): Promise<void> => {
    const state = await files.read(subnet.subnetId);
    if (state === undefined) return;
    for (const each of all) {
      if (subnet.egress === 'nat') await apply(each, names, state.slot, signal);
      else await takeAway(each, signal);
    }
  };

  return {
    async give(subnet, nic, names, signal) {
      const { subnetId, macAddress, ipAddress } = nic;
      const all = await files.readExternals(subnetId);
      const before = all.find((each) => each.macAddress === macAddress);
      if (before === undefined && nic.externalAddress === null) return;
      const wanted =
        nic.externalAddress === null ? null : formatAddress(parseAddress(nic.externalAddress));
      if (wanted !== null) await checkIsFree(nic, wanted, signal);
      const others = all.filter((each) => each !== before);
      const own = wanted === null ? [] : [{ macAddress, ipAddress, externalAddress: wanted }];
      if (before !== undefined && before.externalAddress !== wanted) await takeAway(before, signal);
      await files.writeExternals(subnetId, [...others, ...own]);
      await applyAll(subnet, names, own, signal);
      await translate(subnetId, [...others, ...own], signal);
    },
    async take(subnetId, macAddress, signal) {
      const all = await files.readExternals(subnetId);
      const own = all.find((each) => each.macAddress === macAddress);
      if (own === undefined) return;
      await takeAway(own, signal);
      const others = all.filter((each) => each !== own);
      await translate(subnetId, others, signal);
      await files.writeExternals(subnetId, others);
    },
    async takeAll(subnetId, signal) {
      for (const each of await files.readExternals(subnetId)) await takeAway(each, signal);
    },
    async restore(subnet, names, signal) {
      const all = await files.readExternals(subnet.subnetId);
      if (all.length === 0) return;
      await applyAll(subnet, names, all, signal);
      await translate(subnet.subnetId, all, signal);
    },
    async list() {
      const ofSubnets = await Promise.all((await files.list()).map(files.readExternals));
      return ofSubnets.flat().map(({ externalAddress }) => externalAddress);
    },
  };
}
