import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Clock, type Random, withDeadline } from '@factory/runtime';
import { lost } from './connection.ts';

/** A server to connect to. */
export interface Server {
  readonly host: string;
  readonly port: number;
}

/** The addresses that a name has now, at least one. Rejects when it has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/**
 * Which server to try next. A name may have several addresses, of which one may be dead: each counts as
 * a server of its own, and all are tried before one is tried again. Names are looked up anew for each
 * round; one that can't be looked up keeps the addresses that it had.
 */
export class Addresses {
  readonly #servers: readonly Server[];
  readonly #resolve: Resolve;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lookupTimeoutMs: number;
  readonly #known = new Map<string, readonly string[]>();
  #round: readonly Server[] = [];
  #last: Server | undefined;

  constructor(options: {
    readonly servers: readonly Server[];
    readonly resolve: Resolve;
    readonly clock: Clock;
    readonly random: Random;
    /** A lookup that takes longer counts as failed. */
    readonly lookupTimeoutMs: number;
  }) {
    this.#servers = options.servers;
    this.#resolve = options.resolve;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#lookupTimeoutMs = options.lookupTimeoutMs;
  }

  /** @throws ZooKeeperError CONNECTION_LOSS when no name has an address. */
  async next(): Promise<Server> {
    if (this.#round.length === 0) this.#round = await this.#newRound();
    const [next, ...rest] = this.#round;
    if (next === undefined) throw lost('no name of a server has an address');
    this.#round = rest;
    this.#last = next;
    return next;
  }

  /** A connection was there and is lost: a new round begins, its server being the last of it. */
  startOver(): void {
    this.#round = [];
  }

  /** In random order, so that clients spread over the servers. */
  async #newRound(): Promise<readonly Server[]> {
    const found = await Promise.all(this.#servers.map((server) => this.#addressesOf(server)));
    const isLast = ({ host, port }: Server) =>
      host === this.#last?.host && port === this.#last.port ? 1 : 0;
    return found
      .flat()
      .map((server) => ({ server, order: isLast(server) + this.#random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ server }) => server);
  }

  async #addressesOf({ host, port }: Server): Promise<readonly Server[]> {
    if (isIP(host) !== 0) return [{ host, port }];
    try {
      const lookUp = () => this.#resolve(host);
      const found = await withDeadline(this.#clock, host, this.#lookupTimeoutMs, lookUp);
      this.#known.set(host, found);
    } catch {
      // What it had before is still better than nothing; without that, others are tried.
    }
    return (this.#known.get(host) ?? []).map((address) => ({ host: address, port }));
  }
}

/** Asks the system, as the C client that Mesos uses does. */
export async function resolveBySystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
