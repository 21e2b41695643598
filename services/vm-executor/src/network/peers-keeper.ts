import {
  booksOf,
  cardsOfPeers,
  digestOfBooks,
  type HostTunnel,
  PeerBook,
  type PeersChangeMessage,
  type PeersMessage,
  type SubnetId,
  type SubnetPeers,
} from '@factory/contracts';
import { type Clock, type Logger, type Timer, withDeadline } from '@factory/runtime';
import type { HostNetworkPort } from './port.ts';

interface PeersKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: HostNetworkPort;
}

/** What the scheduler has told, all in all. */
interface Told {
  readonly epoch: number;
  readonly digest: string;
  readonly subnets: ReadonlyMap<SubnetId, Subnet>;
}

/** Never changed once it is told: what is applied may be an older one. */
interface Subnet {
  readonly book: PeerBook;
  /** As told; hosts without cards are not in the book. */
  readonly peers: SubnetPeers['peers'];
}

/** In place of a digest: whoever knows of no such thing tells all. */
const UNKNOWN = 'unknown';
const NOTHING: Told = { epoch: 0, digest: '', subnets: new Map() };
const APPLY_TIMEOUT_MS = 60_000;
/** What was told is applied again this often: somebody may have torn it down. */
const APPLY_AGAIN_MS = 60_000;

/** Sees to it that this host's networks know the hosts that the scheduler told of. */
export class PeersKeeper {
  readonly #options: PeersKeeperOptions;
  #told = NOTHING;
  #applied = NOTHING;
  /** What was told last took effect in parts, or not at all. */
  #isPartial = false;
  /** What is known here is not what the scheduler takes it for. */
  #needsWhole = false;
  #work: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: PeersKeeperOptions) {
    this.#options = options;
  }

  /** What the scheduler is to know. */
  get tunnel(): HostTunnel {
    const { epoch, digest } = this.#applied;
    const address = this.#options.network.tunnelAddress;
    return { address, epoch, digest: this.#needsWhole ? UNKNOWN : digest, takesChanges: true };
  }

  /** Takes what the scheduler says, unless it has said something newer. */
  take(message: PeersMessage | PeersChangeMessage): void {
    if (message.epoch < this.#told.epoch) return;
    const told = message.type === 'peers' ? wholeOf(message) : this.#changed(message);
    if (told === undefined) return;
    if (message.type === 'peers') this.#needsWhole = false;
    // Told once more, while it takes effect: then nothing of it is new.
    const isSame = told.digest === this.#told.digest;
    const next = isSame ? { ...told, subnets: this.#told.subnets } : told;
    this.#told = next;
    this.#work = this.#work.then(() => this.#apply(next, false));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Undefined when something was lost before it: the next heartbeat says what is known. */
  #changed(message: PeersChangeMessage): Told | undefined {
    const from = [this.#told, this.#applied].find(({ digest }) => digest === message.base);
    if (from === undefined) return undefined;
    const told = changeOf(from, message);
    if (told.digest === message.digest) return told;
    this.#needsWhole = true;
    const { base, digest } = message;
    this.#options.logger.error(
      { base, digest, found: told.digest },
      'a change of the hosts of subnets does not make what it should of what is known of them',
    );
    return undefined;
  }

  /** Applies what is new, or everything. */
  async #apply(told: Told, isAgain: boolean): Promise<void> {
    // One that waited for another is of no use when a newer one has come meanwhile.
    if (told !== this.#told || this.#isClosed) return;
    const { clock, logger, network } = this.#options;
    this.#timer?.cancel();
    const { subnets: before } = this.#applied;
    const left = [...before.keys()].filter((subnetId) => !told.subnets.has(subnetId));
    const news = [...told.subnets].filter(
      ([subnetId, subnet]) => isAgain || this.#isPartial || before.get(subnetId) !== subnet,
    );
    const all = [
      ...news.map(([subnetId, { peers }]) => ({ subnetId, peers })),
      ...left.map((subnetId) => ({ subnetId, peers: [] })),
    ];
    try {
      await withDeadline(clock, 'telling networks of peers', APPLY_TIMEOUT_MS, async (signal) => {
        for (const { subnetId, peers } of all) {
          // Cards of other agents on this host are here already.
          const others = peers.filter((peer) => peer.tunnelAddress !== network.tunnelAddress);
          await network.setPeers({ subnetId, epoch: told.epoch, peers: others }, signal);
        }
      });
      this.#applied = told;
      this.#isPartial = false;
    } catch (error) {
      // Heartbeats say what is known; so it is told again.
      this.#isPartial = true;
      logger.warn({ err: error }, 'not all hosts of the subnets are known');
    }
    if (told.subnets.size === 0 || this.#isClosed) return;
    this.#timer = clock.after(APPLY_AGAIN_MS, () => {
      this.#work = this.#work.then(() => this.#apply(told, true));
    });
  }
}

function wholeOf({ epoch, digest, subnets }: PeersMessage): Told {
  return { epoch, digest, subnets: subnetsOf(subnets) };
}

function subnetsOf(told: readonly SubnetPeers[]): Map<SubnetId, Subnet> {
  const books = booksOf(told);
  return new Map(
    told.map(({ subnetId, peers }) => [
      subnetId,
      { peers, book: books.get(subnetId) ?? new PeerBook() },
    ]),
  );
}

/** What is known after a change; whose digest need not be the one that was told. */
function changeOf(from: Told, { epoch, changed, whole, left }: PeersChangeMessage): Told {
  const subnets = new Map(from.subnets);
  for (const subnetId of left) subnets.delete(subnetId);
  for (const { subnetId, came, gone } of changed) {
    const book = subnets.get(subnetId)?.book.copy() ?? new PeerBook();
    for (const card of cardsOfPeers(gone)) book.delete(card);
    for (const card of cardsOfPeers(came)) book.add(card);
    subnets.set(subnetId, { book, peers: book.toPeers() });
  }
  for (const [subnetId, subnet] of subnetsOf(whole)) subnets.set(subnetId, subnet);
  const digest = digestOfBooks([...subnets].map(([subnetId, { book }]) => [subnetId, book]));
  return { epoch, digest, subnets };
}
