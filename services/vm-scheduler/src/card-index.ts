import {
  digestOfBooks,
  PeerBook,
  type PeerCard,
  type PeersChangeMessage,
  peerCardKey,
  peersOfCards,
  type SubnetId,
  type SubnetPeers,
  type SubnetPeersChange,
  type VmId,
} from '@factory/contracts';
import type { VmRecord } from './vm-record.ts';

/** A VM's network card, and the host that it is on. */
interface Card extends PeerCard {
  readonly subnetId: SubnetId;
  readonly agentId: string;
}

/** A card that came or went. */
interface Change {
  readonly version: number;
  readonly card: PeerCard;
  readonly isThere: boolean;
}

interface Subnet {
  /** By host and MAC. */
  readonly cards: Map<string, Card>;
  /** How many of them each agent has. */
  readonly agents: Map<string, number>;
  readonly book: PeerBook;
  /** How many cards are the same to others: those of two agents on one host for a moment. */
  readonly doubles: Map<string, number>;
  /** The last changes, oldest first. */
  readonly log: Change[];
}

/** Changes of a subnet that are remembered, at least; whoever knows less is told the whole. */
const LOG_LENGTH = 2_000;

/** What an executor has to know of other hosts, in short. */
export interface PeersVersion {
  /** The same for the same subnets, hosts and cards. */
  readonly digest: string;
  /** Of each subnet: grows with its changes. */
  readonly versions: ReadonlyMap<SubnetId, number>;
  readonly cardCount: number;
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
export function peersOf(subnetId: SubnetId, cards: Iterable<PeerCard>): SubnetPeers {
  return { subnetId, peers: peersOfCards(cards) };
}

/**
 * Which cards are where, kept up to date with each change of a record, so that hosts can be told of
 * each other: a change costs the same however many cards its subnet has.
 */
export class CardIndex {
  readonly #subnets = new Map<SubnetId, Subnet>();
  readonly #byAgent = new Map<string, Set<SubnetId>>();
  readonly #changed = new Set<SubnetId>();
  // Of all subnets, so that one that ends and comes again has no version twice.
  #version = 0;

  /** A record has changed, has come (no `before`) or is forgotten (no `after`). */
  change(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before !== undefined && after !== undefined && isSamePlace(before, after)) return;
    if (before !== undefined) for (const card of cardsOf(before)) this.#remove(before, card);
    if (after !== undefined) for (const card of cardsOf(after)) this.#add(after, card);
  }

  /** Agents with a card in a subnet that has changed since this was asked last. */
  takeChanged(): readonly string[] {
    const agentIds = [...this.#changed].flatMap((subnetId) => [
      ...(this.#subnets.get(subnetId)?.agents.keys() ?? []),
    ]);
    this.#changed.clear();
    return [...new Set(agentIds)];
  }

  /** What the agent's executor has to know, in short. */
  versionOf(agentId: string): PeersVersion {
    const subnets = this.#subnetsOf(agentId);
    return {
      digest: digestOfBooks(subnets.map(([subnetId, { book }]) => [subnetId, book])),
      versions: new Map(subnets.map(([subnetId, { log }]) => [subnetId, log.at(-1)?.version ?? 0])),
      cardCount: subnets.reduce((sum, [, { book }]) => sum + book.size, 0),
    };
  }

  /** All that the agent's executor has to know. */
  peersOfAgent(agentId: string): readonly SubnetPeers[] {
    return this.#subnetsOf(agentId).map(([subnetId, { book }]) => ({
      subnetId,
      peers: book.toPeers(),
    }));
  }

  /** What is new for an executor that knew these versions. */
  changesSince(
    agentId: string,
    known: ReadonlyMap<SubnetId, number>,
  ): Pick<PeersChangeMessage, 'changed' | 'whole' | 'left'> {
    const subnets = this.#subnetsOf(agentId);
    const isHere = new Set(subnets.map(([subnetId]) => subnetId));
    const changed: SubnetPeersChange[] = [];
    const whole: SubnetPeers[] = [];
    for (const [subnetId, { log, book }] of subnets) {
      const version = known.get(subnetId);
      if (version !== undefined && version === log.at(-1)?.version) continue;
      const news = version === undefined ? undefined : newsSince(log, version);
      if (news === undefined || news.length > book.size) {
        whole.push({ subnetId, peers: book.toPeers() });
        continue;
      }
      // The last word on each card counts.
      const last = new Map(news.map((each) => [peerCardKey(each.card), each]));
      const cards = (isThere: boolean) =>
        peersOfCards(
          [...last.values()].filter((each) => each.isThere === isThere).map((each) => each.card),
        );
      changed.push({ subnetId, came: cards(true), gone: cards(false) });
    }
    return { changed, whole, left: [...known.keys()].filter((subnetId) => !isHere.has(subnetId)) };
  }

  #subnetsOf(agentId: string): readonly (readonly [SubnetId, Subnet])[] {
    const ids = [...(this.#byAgent.get(agentId) ?? [])].sort();
    return ids.flatMap((subnetId) => {
      const subnet = this.#subnets.get(subnetId);
      return subnet === undefined ? [] : [[subnetId, subnet] as const];
    });
  }

  #add(record: VmRecord, card: Card): void {
    const { subnetId, agentId } = card;
    const subnet = this.#subnets.get(subnetId) ?? newSubnet();
    this.#subnets.set(subnetId, subnet);
    subnet.cards.set(keyOf(record.assignment.vmId, card), card);
    subnet.agents.set(agentId, (subnet.agents.get(agentId) ?? 0) + 1);
    this.#byAgent.set(agentId, (this.#byAgent.get(agentId) ?? new Set()).add(subnetId));
    const key = peerCardKey(card);
    const count = subnet.doubles.get(key) ?? 0;
    subnet.doubles.set(key, count + 1);
    if (count === 0) this.#tell(subnet, card, true);
    this.#changed.add(subnetId);
  }

  #remove(record: VmRecord, card: Card): void {
    const { subnetId, agentId } = card;
    const subnet = this.#subnets.get(subnetId);
    if (subnet === undefined) return;
    this.#changed.add(subnetId);
    subnet.cards.delete(keyOf(record.assignment.vmId, card));
    const key = peerCardKey(card);
    const count = (subnet.doubles.get(key) ?? 1) - 1;
    if (count > 0) subnet.doubles.set(key, count);
    else {
      subnet.doubles.delete(key);
      this.#tell(subnet, card, false);
    }
    if (subnet.cards.size === 0) this.#subnets.delete(subnetId);
    const ofAgent = (subnet.agents.get(agentId) ?? 1) - 1;
    if (ofAgent > 0) {
      subnet.agents.set(agentId, ofAgent);
      return;
    }
    subnet.agents.delete(agentId);
    const subnetIds = this.#byAgent.get(agentId);
    subnetIds?.delete(subnetId);
    if (subnetIds?.size === 0) this.#byAgent.delete(agentId);
  }

  #tell({ book, log }: Subnet, { tunnelAddress, nic }: Card, isThere: boolean): void {
    const card = { tunnelAddress, nic };
    if (isThere) book.add(card);
    else book.delete(card);
    this.#version += 1;
    log.push({ version: this.#version, card, isThere });
    if (log.length > 2 * LOG_LENGTH) log.splice(0, LOG_LENGTH);
  }
}

function newSubnet(): Subnet {
  return {
    cards: new Map(),
    agents: new Map(),
    book: new PeerBook(),
    doubles: new Map(),
    log: [],
  };
}

/** Changes after a version; `undefined` when they are not all remembered. */
function newsSince(log: readonly Change[], version: number): readonly Change[] | undefined {
  const [oldest] = log;
  if (oldest === undefined || oldest.version > version) return undefined;
  const index = log.findLastIndex((change) => change.version <= version);
  return log.slice(index + 1);
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
