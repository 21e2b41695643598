import type { VmId, VolumeId } from '@factory/contracts';
import { type Clock, createRepeater, type Logger, type Repeater } from '@factory/runtime';
import { LEASE_RENEWAL_MS } from './lease.ts';
import type { HeldLease, VolumePort } from './port.ts';

interface LeaseRenewalOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly volumes: VolumePort;
  /** Which volumes a VM has that is kept here; undefined when nobody keeps it. */
  readonly volumesOf: (vmId: VmId) => readonly VolumeId[] | undefined;
  /** Another host has the VM's disk now: the guest must not write to it any more. */
  readonly onLost: (lease: HeldLease) => void;
}

/** Renews the leases of this host's VMs, and gives those back that they have no use for any more. */
export class LeaseRenewal {
  readonly #options: LeaseRenewalOptions;
  readonly #repeater: Repeater;

  constructor(options: LeaseRenewalOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#repeater = createRepeater({
      ...{ clock, intervalMs: LEASE_RENEWAL_MS, work: () => this.#renewAll() },
      onError: (error) => logger.warn({ err: error }, 'leases were not renewed'),
    });
  }

  start(): void {
    this.#repeater.start();
  }

  close(): void {
    this.#repeater.close();
  }

  /** One after the other: where the storage hangs, the first says so for all. */
  async #renewAll(): Promise<void> {
    const { logger, volumes, volumesOf, onLost } = this.#options;
    for (const lease of await volumes.listHeld()) {
      const has = volumesOf(lease.vmId);
      if (has === undefined) continue;
      if (!has.includes(lease.volumeId)) {
        // Taken from it while it was off.
        await volumes.release(lease.vmId, [lease.volumeId]);
        continue;
      }
      if ((await volumes.renew(lease)) === 'held') continue;
      logger.error({ lease }, 'the lease of a disk was given to somebody else');
      onLost(lease);
    }
  }
}
