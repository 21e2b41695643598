import type { SubnetId, VmId } from '@factory/contracts';
import { isLibvirtError, type Libvirt, type NetworkRef } from '@factory/libvirt';
import { keyedMutex } from '@factory/runtime';
import type { Firewall } from './firewall.ts';
import type { LibvirtLink } from './libvirt-link.ts';
import { bridgeName, networkName, networkUuid } from './names.ts';
import { networkXml } from './network-xml.ts';
import type { AddressLease } from './port.ts';

/** The subnets on this host as libvirt networks. */
export interface LibvirtNetworks {
  join(lease: AddressLease, signal?: AbortSignal): Promise<void>;
  leave(lease: AddressLease, signal?: AbortSignal): Promise<void>;
  /** What libvirt has may have changed behind our back: look before the next use. */
  forget(): void;
}

interface Subnet {
  readonly ref: NetworkRef;
  readonly bridge: string;
  /** Leases that this executor's VMs want, by VM. */
  readonly wanted: Map<VmId, AddressLease>;
  /** Keys of the leases that the network has; undefined when that is not known. */
  present: Set<string> | undefined;
}

/**
 * Networks are transient: they live in libvirtd (and outlive its restarts), nothing of them is left
 * in /etc, and after the host's restart they are made again from the leases of the VMs that join.
 */
export function createLibvirtNetworks(options: {
  readonly instance: string;
  readonly link: LibvirtLink;
  readonly firewall: Firewall;
}): LibvirtNetworks {
  const { instance, link, firewall } = options;
  const subnets = new Map<SubnetId, Subnet>();
  // libvirt takes changes of one network one at a time anyway; in order, we know what is there.
  const inOrder = keyedMutex();

  const subnetOf = (subnetId: SubnetId): Subnet => {
    const known = subnets.get(subnetId);
    if (known !== undefined) return known;
    const name = networkName(instance, subnetId);
    const ref = { name, uuid: networkUuid(name) };
    const bridge = bridgeName(instance, subnetId);
    const subnet: Subnet = { ref, bridge, wanted: new Map(), present: undefined };
    subnets.set(subnetId, subnet);
    return subnet;
  };

  /** Makes the network if need be. Gives the leases that it has. */
  const bringUp = async (libvirt: Libvirt, subnet: Subnet, lease: AddressLease) => {
    await firewall.admit(subnet.bridge);
    const existing = await readLeases(libvirt, subnet.ref);
    if (existing !== undefined) return existing;
    const others = [...subnet.wanted.values()].filter((each) => each.vmId !== lease.vmId);
    const leases: readonly [AddressLease, ...AddressLease[]] = [lease, ...others];
    try {
      await libvirt.networks.createXml(networkXml(instance, leases));
      return new Set(leases.map(leaseKey));
    } catch (error) {
      // Another executor of this machine was quicker.
      const now = await readLeases(libvirt, subnet.ref);
      if (now === undefined) throw error;
      return now;
    }
  };

  const addLease = async (libvirt: Libvirt, subnet: Subnet, lease: AddressLease) => {
    subnet.present ??= await bringUp(libvirt, subnet, lease);
    if (subnet.present.has(leaseKey(lease))) return;
    const { macAddress: mac, ipAddress: ip, hostname: name } = lease;
    await libvirt.networks.addDhcpHost(subnet.ref, { mac, ip, name }, { affect: 'live' });
    subnet.present.add(leaseKey(lease));
  };

  return {
    async join(lease, signal) {
      const subnet = subnetOf(lease.subnetId);
      // Before its turn: whoever makes the network takes all that wait into the first definition.
      subnet.wanted.set(lease.vmId, lease);
      await inOrder(lease.subnetId, () =>
        link.use(async (libvirt) => {
          try {
            await addLease(libvirt, subnet, lease);
          } catch (error) {
            // The network may be gone or changed since we looked. Once more, from what is there.
            if (subnet.present === undefined) throw error;
            subnet.present = undefined;
            await addLease(libvirt, subnet, lease);
          }
        }, signal),
      );
    },
    async leave(lease, signal) {
      const subnet = subnetOf(lease.subnetId);
      subnet.wanted.delete(lease.vmId);
      await inOrder(lease.subnetId, () =>
        link.use(async (libvirt) => {
          subnet.present ??= await readLeases(libvirt, subnet.ref);
          if (!subnet.present?.has(leaseKey(lease))) return;
          const { macAddress: mac, ipAddress: ip } = lease;
          subnet.present.delete(leaseKey(lease));
          try {
            await libvirt.networks.deleteDhcpHost(subnet.ref, { mac, ip }, { affect: 'live' });
          } catch (error) {
            subnet.present = await readLeases(libvirt, subnet.ref);
            if (subnet.present?.has(leaseKey(lease))) throw error;
          }
        }, signal),
      );
    },
    forget() {
      for (const subnet of subnets.values()) subnet.present = undefined;
    },
  };
}

/** Keys of the fixed leases of a running network; undefined when it does not run. */
async function readLeases(libvirt: Libvirt, ref: NetworkRef): Promise<Set<string> | undefined> {
  try {
    return leaseKeysOf(await libvirt.networks.getXml(ref));
  } catch (error) {
    if (isLibvirtError(error, 'NO_NETWORK')) return undefined;
    throw error;
  }
}

/** Keys of all `<host>` elements with a MAC and an address, in a network as libvirt prints it. */
export function leaseKeysOf(networkXmlText: string): Set<string> {
  const keys = new Set<string>();
  for (const [, attributes = ''] of networkXmlText.matchAll(/<host ([^>]*)\/?>/g)) {
    const mac = /\bmac='([^']*)'/.exec(attributes)?.[1];
    const ip = /\bip='([^']*)'/.exec(attributes)?.[1];
    if (mac !== undefined && ip !== undefined) keys.add(`${mac} ${ip}`);
  }
  return keys;
}

function leaseKey({ macAddress, ipAddress }: AddressLease): string {
  return `${macAddress} ${ipAddress}`;
}
