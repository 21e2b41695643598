import type { VmId, VmReason, VolumeId, VolumeMount } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { decideLease, type FoundLease, LEASE_DEAD_MS } from './lease.ts';
import type { HeldLease, VolumePort } from './port.ts';
import { locked } from './shared-volumes.ts';

interface SimulatedLease extends HeldLease {
  readonly holder: string;
  readonly renewedAtMs: number;
}

/** Storage in memory that the simulated hosts of a cluster share. */
export class SimulatedSharedStorage {
  readonly folders = new Set<VolumeId>();
  readonly disks = new Set<VolumeId>();
  leases: readonly SimulatedLease[] = [];
  usage: ReadonlyMap<VolumeId, number> = new Map();
  /** Folders that guests can't write to. */
  readonly refused = new Set<VolumeId>();
  /** Every use fails for this reason. */
  trouble: VmReason | undefined;
}

/** The volumes of one simulated host, which outlives its executors. */
export function createSimulatedVolumes(
  storage: SimulatedSharedStorage,
  clock: Clock,
  initialHolder = '',
): VolumePort {
  let holder = initialHolder;
  const use = (): void => {
    if (storage.trouble === undefined) return;
    throw new VmFailure(storage.trouble, 'the storage is away (simulated)', { isTransient: true });
  };
  const found = (volumeId: VolumeId): readonly FoundLease[] =>
    storage.leases
      .filter((each) => each.volumeId === volumeId)
      .map((lease) => ({
        epoch: lease.epoch,
        lease,
        isDead: clock.monotonicMs() - lease.renewedAtMs >= LEASE_DEAD_MS,
      }));
  const put = (lease: HeldLease): void => {
    const others = storage.leases.filter(
      (each) => each.volumeId !== lease.volumeId || each.epoch > lease.epoch,
    );
    storage.leases = [...others, { ...lease, holder, renewedAtMs: clock.monotonicMs() }];
  };
  const take = (lease: HeldLease): void => {
    const decision = decideLease(found(lease.volumeId), { ...lease, holder });
    if (decision.kind === 'wait' || decision.kind === 'overtaken') {
      throw locked(lease.volumeId, decision);
    }
    put(lease);
  };
  return {
    identify: (hostName) => {
      holder = hostName;
    },
    async prepare(vmId: VmId, { volumeId, kind, leaseEpoch }: VolumeMount) {
      use();
      if (kind === 'directory') {
        storage.folders.add(volumeId);
        return;
      }
      take({ vmId, volumeId, epoch: leaseEpoch });
      storage.disks.add(volumeId);
    },
    pathOf: ({ volumeId, kind }) => `/simulated/volumes/${volumeId}/${kind}`,
    async release(vmId, volumeIds) {
      const isMeant = (each: SimulatedLease): boolean =>
        each.vmId === vmId &&
        each.holder === holder &&
        (volumeIds?.includes(each.volumeId) ?? true);
      if (!storage.leases.some(isMeant)) return;
      use();
      storage.leases = storage.leases.filter((each) => !isMeant(each));
    },
    async renew(lease) {
      use();
      const all = found(lease.volumeId);
      const own = all.find(({ epoch }) => epoch === lease.epoch)?.lease;
      const isLost = all.some(({ epoch }) => epoch > lease.epoch);
      if (isLost || (own !== undefined && own.holder !== holder)) return 'lost';
      put(lease);
      return 'held';
    },
    async usage() {
      use();
      return storage.usage;
    },
    async allowWrites(volumeId, isAllowed) {
      if (isAllowed) storage.refused.delete(volumeId);
      else storage.refused.add(volumeId);
    },
    listHeld: async () =>
      storage.leases
        .filter((each) => each.holder === holder)
        .map(({ vmId, volumeId, epoch }) => ({ vmId, volumeId, epoch })),
    close: async () => undefined,
  };
}
