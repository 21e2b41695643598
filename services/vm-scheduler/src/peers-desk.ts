import type { HostTunnel, SchedulerMessage, SubnetPeers } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';

/** More cards than this are told of only after what was told before has been heard of. */
const CARDS_AT_ONCE_MAX = 200;

interface PeersDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
}

/**
 * Tells executors which other hosts have the subnets of their VMs: soon after that has changed, and
 * with each heartbeat that shows other peers. Nothing of it is stored: where VMs are is.
 */
export class PeersDesk {
  readonly #options: PeersDeskOptions;
  /** What executors with tunnels have said that they know. */
  readonly #heard = new Map<string, HostTunnel>();
  /** Digests that were told last, until a heartbeat shows whether they have arrived. */
  readonly #told = new Map<string, string>();
  #lastEpoch = 0;

  constructor(options: PeersDeskOptions) {
    this.#options = options;
  }

  /** An executor said where its tunnels end and which peers it knows. */
  heard(agentId: string, tunnel: HostTunnel): void {
    this.#lastEpoch = Math.max(this.#lastEpoch, tunnel.epoch);
    if (tunnel.address === null) {
      this.#heard.delete(agentId);
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
    const { subnets, digest } = state.cards.peersOfAgent(agentId);
    const told = this.#told.get(agentId);
    if (digest === (told ?? known.digest)) return;
    // While a big batch comes up, it is told of with the heartbeats and no more often.
    if (told !== undefined && countCards(subnets) > CARDS_AT_ONCE_MAX) return;
    // Grows across restarts of ours: by the clock, and beyond what was heard if that went back.
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.floor(clock.nowMs()));
    this.#told.set(agentId, digest);
    tell(agentId, { type: 'peers', epoch: this.#lastEpoch, digest, subnets: [...subnets] });
  }
}

function countCards(subnets: readonly SubnetPeers[]): number {
  return subnets.flatMap(({ peers }) => peers).reduce((sum, { nics }) => sum + nics.length, 0);
}
