import type { HostTunnel, SchedulerMessage } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { PeersVersion } from './card-index.ts';
import type { SchedulerState } from './state.ts';

/** More cards than this are told of only after what was told before has been heard of. */
const CARDS_AT_ONCE_MAX = 200;

interface PeersDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
}

/** Versions of an executor's peers that are remembered, as its word on an older one may be late. */
const VERSIONS_MAX = 4;

type Versions = PeersVersion['versions'];

/**
 * Tells executors which other hosts have the subnets of their VMs: soon after that has changed, and
 * with each heartbeat that shows other peers. Whoever is known to know what was before is told what
 * is new; others, as after a restart or a loss, are told all. Nothing of it is stored: where VMs are
 * is.
 */
export class PeersDesk {
  readonly #options: PeersDeskOptions;
  /** What executors with tunnels have said that they know. */
  readonly #heard = new Map<string, HostTunnel>();
  /** Digests that were told last, until a heartbeat shows whether they have arrived. */
  readonly #told = new Map<string, string>();
  /** What digests of each agent were of, the newest last. */
  readonly #versions = new Map<string, Map<string, Versions>>();
  #lastEpoch = 0;

  constructor(options: PeersDeskOptions) {
    this.#options = options;
  }

  /** An executor said where its tunnels end and which peers it knows. */
  heard(agentId: string, tunnel: HostTunnel): void {
    this.#lastEpoch = Math.max(this.#lastEpoch, tunnel.epoch);
    if (tunnel.address === null) {
      this.#heard.delete(agentId);
      this.#versions.delete(agentId);
      return;
    }
    this.#heard.set(agentId, tunnel);
    this.#told.delete(agentId);
    this.#tellIfOther(agentId);
  }

  /** Tells whoever shares a subnet that has changed. */
  tellChanged(): void {
    for (const agentId of this.#options.state.cards.takeChanged()) this.#tellIfOther(agentId);
  }

  #tellIfOther(agentId: string): void {
    const { state, clock, tell } = this.#options;
    const known = this.#heard.get(agentId);
    // One that was never heard is told when it speaks.
    if (known === undefined) return;
    const { digest, versions, cardCount } = state.cards.versionOf(agentId);
    const base = this.#told.get(agentId) ?? known.digest;
    if (digest === base) {
      this.#remember(agentId, digest, versions);
      return;
    }
    // While a big batch comes up, it is told of with the heartbeats and no more often.
    if (this.#told.has(agentId) && cardCount > CARDS_AT_ONCE_MAX) return;
    // Grows across restarts of ours: by the clock, and beyond what was heard if that went back.
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.floor(clock.nowMs()));
    const epoch = this.#lastEpoch;
    const from = known.takesChanges ? this.#versions.get(agentId)?.get(base) : undefined;
    this.#told.set(agentId, digest);
    this.#remember(agentId, digest, versions);
    if (from === undefined) {
      const subnets = [...state.cards.peersOfAgent(agentId)];
      tell(agentId, { type: 'peers', epoch, digest, subnets });
    } else {
      const news = state.cards.changesSince(agentId, from);
      tell(agentId, { type: 'peersChange', epoch, base, digest, ...news });
    }
  }

  #remember(agentId: string, digest: string, versions: Versions): void {
    const all = this.#versions.get(agentId) ?? new Map<string, Versions>();
    this.#versions.set(agentId, all);
    all.delete(digest);
    all.set(digest, versions);
    for (const oldest of all.keys()) {
      if (all.size <= VERSIONS_MAX) break;
      all.delete(oldest);
    }
  }
}
