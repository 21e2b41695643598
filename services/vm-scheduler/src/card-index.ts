import { createHash } from 'node:crypto';
import type { Peer, SubnetId, SubnetPeers, VmId } from '@factory/contracts';
import type { VmRecord } from './vm-record.ts';

/** A VM's network card, and the host that it is on. */
interface Card {
  readonly subnetId: SubnetId;
  readonly agentId: string;
  readonly tunnelAddress: string;
  readonly nic: Peer['nics'][number];
}

interface Subnet {
  /** By host and MAC, in the order in which they came. */
  readonly cards: Map<string, Card>;
  /** As told of last, until a card changes. */
  told: { readonly peers: SubnetPeers; readonly digest: string } | undefined;
}

/** What an executor has to know of other hosts. */
export interface PeersOfAgent {
  readonly subnets: readonly SubnetPeers[];
  /** The same for the same subnets, hosts and cards. */
  readonly digest: string;
}

/**
 * The cards that a record puts on a host with tunnels, in subnets that reach beyond one. They count
 * from the launch to the end of all that is there, on or off, heard or silent. Pure.
 */
export function cardsOf({ assignment, boundAgentId, tunnelAddress }: VmRecord): readonly Card[] {
  if (boundAgentId === null || tunnelAddress === undefined || tunnelAddress === null) return [];
  const { spec } = assignment;
  return [spec.network, ...(spec.nics ?? [])].flatMap(({ subnetId, vni, macAddress, ipAddress }) =>
    vni === undefined
      ? []
      : {
          ...{ subnetId, agentId: boundAgentId, tunnelAddress },
          nic: { macAddress, ipAddress, hostname: spec.hostname },
        },
  );
}

/** The hosts of a subnet that has these cards, in an order that depends on nothing else. Pure. */
export function peersOf(subnetId: SubnetId, cards: Iterable<Card>): SubnetPeers {
  const byHost = Map.groupBy(cards, ({ tunnelAddress }) => tunnelAddress);
  const peers = [...byHost].map(([tunnelAddress, ofHost]) => ({
    tunnelAddress,
    nics: ofHost.map(({ nic }) => nic).sort((a, b) => compare(a.macAddress, b.macAddress)),
  }));
  return { subnetId, peers: peers.sort((a, b) => compare(a.tunnelAddress, b.tunnelAddress)) };
}

/**
 * Which cards are where, kept up to date with each change of a record, so that hosts can be told of
 * each other: what is asked for again and has not changed costs nothing.
 */
export class CardIndex {
  readonly #subnets = new Map<SubnetId, Subnet>();
  /** How many cards an agent has in each subnet. */
  readonly #byAgent = new Map<string, Map<SubnetId, number>>();
  readonly #changed = new Set<SubnetId>();

  /** A record has changed, has come (no `before`) or is forgotten (no `after`). */
  change(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before !== undefined && after !== undefined && isSamePlace(before, after)) return;
    if (before !== undefined) for (const card of cardsOf(before)) this.#remove(before, card);
    if (after !== undefined) for (const card of cardsOf(after)) this.#add(after, card);
  }

  /** Agents with a card in a subnet that has changed since this was asked last. */
  takeChanged(): readonly string[] {
    const agentIds = [...this.#changed].flatMap((subnetId) =>
      Array.from(this.#subnets.get(subnetId)?.cards.values() ?? [], ({ agentId }) => agentId),
    );
    this.#changed.clear();
    return [...new Set(agentIds)];
  }

  /** What the agent's executor has to know. */
  peersOfAgent(agentId: string): PeersOfAgent {
    const ids = [...(this.#byAgent.get(agentId)?.keys() ?? [])].sort(compare);
    const all = ids.map((subnetId) => this.#tell(subnetId));
    return {
      subnets: all.map(({ peers }) => peers),
      digest: all.length === 0 ? '' : hash(all.map(({ digest }) => digest).join()),
    };
  }

  #tell(subnetId: SubnetId): NonNullable<Subnet['told']> {
    const subnet = this.#subnets.get(subnetId);
    if (subnet?.told !== undefined) return subnet.told;
    const peers = peersOf(subnetId, subnet?.cards.values() ?? []);
    const told = { peers, digest: hash(JSON.stringify(peers)) };
    if (subnet !== undefined) subnet.told = told;
    return told;
  }

  #add(record: VmRecord, card: Card): void {
    const { subnetId, agentId } = card;
    const subnet = this.#subnets.get(subnetId) ?? { cards: new Map(), told: undefined };
    this.#subnets.set(subnetId, subnet);
    subnet.cards.set(keyOf(record.assignment.vmId, card), card);
    const ofAgent = this.#byAgent.get(agentId) ?? new Map<SubnetId, number>();
    this.#byAgent.set(agentId, ofAgent.set(subnetId, (ofAgent.get(subnetId) ?? 0) + 1));
    subnet.told = undefined;
    this.#changed.add(subnetId);
  }

  #remove(record: VmRecord, card: Card): void {
    const { subnetId, agentId } = card;
    const subnet = this.#subnets.get(subnetId);
    if (subnet === undefined) return;
    subnet.told = undefined;
    this.#changed.add(subnetId);
    subnet.cards.delete(keyOf(record.assignment.vmId, card));
    if (subnet.cards.size === 0) this.#subnets.delete(subnetId);
    const ofAgent = this.#byAgent.get(agentId);
    const count = (ofAgent?.get(subnetId) ?? 1) - 1;
    if (count > 0) ofAgent?.set(subnetId, count);
    else ofAgent?.delete(subnetId);
    if (ofAgent?.size === 0) this.#byAgent.delete(agentId);
  }
}

function isSamePlace(one: VmRecord, other: VmRecord): boolean {
  return (
    one.boundAgentId === other.boundAgentId &&
    one.tunnelAddress === other.tunnelAddress &&
    one.assignment.spec === other.assignment.spec
  );
}

/** A VM that is said to be on two hosts for a moment is on both. */
function keyOf(vmId: VmId, { agentId, nic }: Card): string {
  return `${vmId} ${agentId} ${nic.macAddress}`;
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
