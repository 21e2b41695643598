import type { SecurityRule, SubnetId, VmId } from '@factory/contracts';

/** A subnet, as every host that has VMs in it knows it. */
export interface SubnetOnHost {
  readonly subnetId: SubnetId;
  /**
   * Its number on the wire between hosts (VXLAN), 1 to 16777215; no two subnets share one. Without
   * one the subnet ends at this host.
   */
  readonly vni: number | null;
  /** IPv4; may be the range of other subnets as well: `10.80.0.0/16`. */
  readonly cidr: string;
  readonly gatewayAddress: string;
  /** `nat`: guests reach what the host reaches, but for what it protects; nobody reaches them. */
  readonly egress: 'none' | 'nat';
  /** VMs are called `<hostname>.<dnsDomain>` in it. */
  readonly dnsDomain: string;
}

/** Tells a network card from all others of a host. */
export interface NicRef {
  readonly vmId: VmId;
  readonly subnetId: SubnetId;
  /** Lower case, colons. */
  readonly macAddress: string;
}

/** A VM's network card. */
export interface Nic extends NicRef {
  readonly ipAddress: string;
  readonly hostname: string;
  /**
   * A direction with rules lets through only what they accept; a direction without any lets
   * everything through. The subnet's own DHCP and DNS are always let through, and replies to what
   * was.
   */
  readonly securityRules: readonly SecurityRule[];
  /**
   * An address of the world that is this card's alone, routed to this host: what comes for it goes
   * to the card, what the card sends out comes from it. It rests while its subnet has no egress.
   */
  readonly externalAddress: string | null;
}

/** Another host of the cluster that has VMs in a subnet. */
export interface Peer {
  /** Where its tunnels end; IPv4. */
  readonly tunnelAddress: string;
  /**
   * Its VMs in the subnet. Frames for these go to this host alone, and their names are known here;
   * frames for any other are sent to all peers.
   */
  readonly nics: readonly {
    readonly macAddress: string;
    readonly ipAddress: string;
    readonly hostname: string;
  }[];
}

/** All other hosts of a subnet. */
export interface SubnetPeers {
  readonly subnetId: SubnetId;
  /** Grows with every change; an older word than the last is not heeded. */
  readonly epoch: number;
  readonly peers: readonly Peer[];
}

/** A network card that this host has, found by its tag. */
export interface NicSeen extends NicRef {
  /** Whose executor plugged it: the agent's host name. */
  readonly ownerName: string;
  readonly ipAddress: string;
  readonly tapName: string;
  /** Not after a plug that was broken off. */
  readonly isAttached: boolean;
}

/** What this host has of ours, whoever made it and however far. */
export interface NetworkInventory {
  readonly nics: readonly NicSeen[];
  /** Subnets of which anything is there. */
  readonly subnetIds: readonly SubnetId[];
  /** Links with a name of ours, but without the tag that is put on right after their making. */
  readonly strays: readonly string[];
}

/**
 * The networks of this host. "Ours" is what belongs to this factory instance; all executors of a
 * host share it. Every operation is idempotent, whatever of it was done before by whomever, and
 * leaves the rest of the host's network alone. When `signal` aborts, it ends between two commands
 * or with the one that runs, and is completed by the next call.
 *
 * All throw VmFailure: `NETWORK_ERROR`; transient when a command or the lock took too long.
 */
export interface HostNetworkPort {
  /** Where the tunnels of this host end; null: its subnets end at it. */
  readonly tunnelAddress: string | null;
  /** What guests may send in one piece, in bytes. */
  readonly mtuBytes: number;
  /** Says whose cards those are that are plugged from now on: the agent's with this host name. */
  identify(agentHostName: string): void;
  /** Whether that agent's executor plugged the card. */
  isOwn(nic: NicSeen): boolean;
  /** Makes the subnet be on this host, complete and as described. Cheap when it is. */
  ensureSubnet(subnet: SubnetOnHost, signal: AbortSignal): Promise<void>;
  /**
   * Makes the card's tap device, in its subnet (which is ensured), with rules that let nothing but
   * its own address out, and with a lease. Gives the name of the tap, which stays as it is until
   * `unplug`. Refused when another card of the subnet on this host has the MAC or the address, or
   * when any other has the external address. Plugged in once more, it gets other rules and another
   * external address, or none, and stays in.
   */
  plug(subnet: SubnetOnHost, nic: Nic, signal: AbortSignal): Promise<string>;
  /** Removes tap, rules, lease and external address; the last card takes its subnet with it. */
  unplug(nic: NicRef, signal: AbortSignal): Promise<void>;
  /**
   * Unplugs these cards of a VM, and whatever others it has here; but for cards that the executor
   * of another agent on this host has plugged for it since.
   */
  unplugVm(vmId: VmId, nics: readonly NicRef[], signal: AbortSignal): Promise<void>;
  /** Says which other hosts have the subnet; it need not be on this host yet. */
  setPeers(peers: SubnetPeers, signal: AbortSignal): Promise<void>;
  /** Replaces the security rules of a plugged card, for connections to come. */
  setRules(subnet: SubnetOnHost, nic: Nic, signal: AbortSignal): Promise<void>;
  /** Removes subnets without cards, and strays. Gives the subnets removed. */
  dropUnused(signal: AbortSignal): Promise<readonly SubnetId[]>;
  /** Removes all that is ours, of whichever agent. */
  removeAll(signal: AbortSignal): Promise<void>;
  inventory(signal: AbortSignal): Promise<NetworkInventory>;
  /** Those that cards on this host have, of whichever agent. */
  externalAddresses(signal: AbortSignal): Promise<readonly string[]>;
}
