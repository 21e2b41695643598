import { hash } from 'node:crypto';
import type { SubnetId } from './ids.ts';
import type { Peer, SubnetPeers } from './peers.ts';

type PeerNic = Peer['nics'][number];

/** A card, with the host that it is on. */
export interface PeerCard {
  readonly tunnelAddress: string;
  readonly nic: PeerNic;
}

const SUM_BITS = 128;
const SUM_DIGITS = SUM_BITS / 4;

/**
 * The cards of a subnet on all hosts, as both the scheduler and executors keep them. Its digest is
 * kept up to date with each change, at a cost that does not depend on how many cards there are: a
 * sum of hashes, which knows no order, and from which what was added can be taken out again.
 */
export class PeerBook {
  readonly #cards = new Map<string, PeerCard>();
  #sum = 0n;

  static of(peers: readonly Peer[]): PeerBook {
    const book = new PeerBook();
    for (const card of cardsOfPeers(peers)) book.add(card);
    return book;
  }

  get size(): number {
    return this.#cards.size;
  }

  /** Gives whether it is new. */
  add(card: PeerCard): boolean {
    const key = keyOf(card);
    if (this.#cards.has(key)) return false;
    this.#cards.set(key, card);
    this.#sum = BigInt.asUintN(SUM_BITS, this.#sum + hashOf(key));
    return true;
  }

  /** Gives whether it was there. */
  delete(card: PeerCard): boolean {
    const key = keyOf(card);
    if (!this.#cards.delete(key)) return false;
    this.#sum = BigInt.asUintN(SUM_BITS, this.#sum - hashOf(key));
    return true;
  }

  copy(): PeerBook {
    const copy = new PeerBook();
    for (const [key, card] of this.#cards) copy.#cards.set(key, card);
    copy.#sum = this.#sum;
    return copy;
  }

  /** The same for the same cards. */
  get digest(): string {
    return this.#sum.toString(16).padStart(SUM_DIGITS, '0');
  }

  /** By host, in an order that depends on nothing but the cards. */
  toPeers(): Peer[] {
    return peersOfCards(this.#cards.values());
  }
}

/** The same for the same subnets with the same cards; empty without any subnet. */
export function digestOfBooks(
  subnets: Iterable<readonly [SubnetId, { readonly digest: string }]>,
): string {
  const all = Array.from(subnets, ([subnetId, { digest }]) => `${subnetId}:${digest}`);
  return all.length === 0 ? '' : hash('sha256', all.sort().join()).slice(0, SUM_DIGITS);
}

export function cardsOfPeers(peers: readonly Peer[]): readonly PeerCard[] {
  return peers.flatMap(({ tunnelAddress, nics }) => nics.map((nic) => ({ tunnelAddress, nic })));
}

/** By host, in an order that depends on nothing but the cards. */
export function peersOfCards(cards: Iterable<PeerCard>): Peer[] {
  const byHost = Map.groupBy(cards, ({ tunnelAddress }) => tunnelAddress);
  const peers = [...byHost].map(([tunnelAddress, ofHost]) => ({
    tunnelAddress,
    nics: ofHost.map(({ nic }) => nic).sort((a, b) => compare(a.macAddress, b.macAddress)),
  }));
  return peers.sort((a, b) => compare(a.tunnelAddress, b.tunnelAddress));
}

/** The subnets of a whole message, as books. */
export function booksOf(subnets: readonly SubnetPeers[]): Map<SubnetId, PeerBook> {
  return new Map(subnets.map(({ subnetId, peers }) => [subnetId, PeerBook.of(peers)]));
}

export function peerCardKey(card: PeerCard): string {
  return keyOf(card);
}

function keyOf({ tunnelAddress, nic }: PeerCard): string {
  return `${tunnelAddress} ${nic.macAddress} ${nic.ipAddress} ${nic.hostname}`;
}

function hashOf(key: string): bigint {
  return BigInt(`0x${hash('sha256', key).slice(0, SUM_DIGITS)}`);
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
