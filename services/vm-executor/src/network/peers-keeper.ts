import type { HostTunnel, PeersMessage } from '@factory/contracts';
import { type Clock, type Logger, type Timer, withDeadline } from '@factory/runtime';
import type { HostNetworkPort } from './port.ts';

interface PeersKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: HostNetworkPort;
}

const APPLY_TIMEOUT_MS = 60_000;
/** What was told is applied again this often: somebody may have torn it down. */
const APPLY_AGAIN_MS = 60_000;

/** Sees to it that this host's networks know the hosts that the scheduler told of. */
export class PeersKeeper {
  readonly #options: PeersKeeperOptions;
  #told: PeersMessage | undefined;
  #applied: PeersMessage | undefined;
  #work: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: PeersKeeperOptions) {
    this.#options = options;
  }

  /** What the scheduler is to know. */
  get tunnel(): HostTunnel {
    const { epoch = 0, digest = '' } = this.#applied ?? {};
    return { address: this.#options.network.tunnelAddress, epoch, digest };
  }

  /** Takes what the scheduler says, unless it has said something newer. */
  take(message: PeersMessage): void {
    if (message.epoch < (this.#told?.epoch ?? 0)) return;
    this.#told = message;
    this.#work = this.#work.then(() => this.#apply(message));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #apply(message: PeersMessage): Promise<void> {
    // One that waited for another is of no use when a newer one has come meanwhile.
    if (message !== this.#told || this.#isClosed) return;
    const { clock, logger, network } = this.#options;
    this.#timer?.cancel();
    const isHere = new Set(message.subnets.map(({ subnetId }) => subnetId));
    const left = (this.#applied?.subnets ?? []).filter(({ subnetId }) => !isHere.has(subnetId));
    const all = [...message.subnets, ...left.map(({ subnetId }) => ({ subnetId, peers: [] }))];
    try {
      await withDeadline(clock, 'telling networks of peers', APPLY_TIMEOUT_MS, async (signal) => {
        for (const { subnetId, peers } of all) {
          // Cards of other agents on this host are here already.
          const others = peers.filter((peer) => peer.tunnelAddress !== network.tunnelAddress);
          await network.setPeers({ subnetId, epoch: message.epoch, peers: others }, signal);
        }
      });
      this.#applied = message;
    } catch (error) {
      // Heartbeats say what is known; so it is told again.
      logger.warn({ err: error }, 'not all hosts of the subnets are known');
    }
    if (message.subnets.length === 0 || this.#isClosed) return;
    this.#timer = clock.after(APPLY_AGAIN_MS, () => this.take(message));
  }
}
