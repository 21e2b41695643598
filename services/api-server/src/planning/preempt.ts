import { type ClusterId, type Shape, VM_MEMORY_OVERHEAD_MIB, type VmId } from '@factory/contracts';
import { hasImage } from '../images/choose.ts';
import { eligibilityOf } from './eligibility.ts';
import { machinesFitting, roomsOf } from './rooms.ts';
import type { PlanningCluster, PlanningSnapshot } from './store.ts';
import { hostsAsRequired, scarceNeed } from './wishes.ts';

/** Others are not deleted for a batch before it has waited so long: room may come by itself. */
export const PREEMPT_AFTER_MS = 10_000;
/** Machines that are looked at for one batch, and deleted for it, at once at most. */
const PREEMPTED_MAX = 1_000;

/** A machine on a host that may be deleted for others, or that is leaving anyway. */
export interface Preemptible {
  readonly id: VmId;
  readonly clusterId: ClusterId;
  readonly hostName: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** Of its batch. */
  readonly priority: number;
  readonly createdAtMs: number;
  /** It is being deleted: its room comes free without more. */
  readonly isLeaving: boolean;
}

/** Who must not wait for whom: those of higher priority, and at the same one, who may be deleted. */
export function mayPreempt(
  batch: { readonly priority: number; readonly preemptible: boolean },
  other: { readonly priority: number },
): boolean {
  if (batch.priority !== other.priority) return batch.priority > other.priority;
  return !batch.preemptible;
}

/**
 * Which machines to delete so that those fit which a plan could not place. Host by host those are
 * chosen whose priority is lowest, the youngest first, as they lose the least; hosts where little
 * has to go come first, and what is leaving anyway is waited for. Nobody is deleted for a machine
 * that would not fit then. Pure.
 */
export function choosePreempted(
  snapshot: PlanningSnapshot,
  unplaced: readonly Shape[],
  others: readonly Preemptible[],
): readonly VmId[] {
  const { batch, nowMs } = snapshot;
  if (nowMs - batch.createdAtMs < PREEMPT_AFTER_MS || unplaced.length === 0) return [];
  // What has to be on one host, or on so many, is more than a host by itself can decide.
  if (batch.wishes.group !== undefined || needsMore(snapshot, unplaced)) return [];
  const usable = others.filter((each) => each.isLeaving || mayPreempt(batch, each));
  let hosts = snapshot.clusters.flatMap((cluster) => hostsOf(snapshot, cluster, usable));
  const chosen: VmId[] = [];
  for (const shape of unplaced.toSorted((a, b) => b.vcpus - a.vcpus).slice(0, PREEMPTED_MAX)) {
    const offers = hosts.flatMap((host) => offerOf(host, shape) ?? []);
    const best = offers.toSorted((a, b) => costOf(a) - costOf(b))[0];
    if (best === undefined) continue;
    chosen.push(...best.gone.filter((each) => !each.isLeaving).map((each) => each.id));
    hosts = hosts.map((host) => (host === best.host ? best.after : host));
    if (chosen.length >= PREEMPTED_MAX) break;
  }
  return chosen;
}

interface HostRoom {
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** Those that would go first come first. */
  readonly others: readonly Preemptible[];
}

interface Offer {
  readonly host: HostRoom;
  readonly after: HostRoom;
  readonly gone: readonly Preemptible[];
}

/** The hosts of a cluster that the batch may be on, with what is free there and who may go. */
function hostsOf(
  snapshot: PlanningSnapshot,
  cluster: PlanningCluster,
  others: readonly Preemptible[],
): readonly HostRoom[] {
  const { batch } = snapshot;
  const { capacity } = cluster;
  const isOpen = eligibilityOf(snapshot, cluster).refusal === undefined;
  const isHeard = cluster.silentSinceMs === null && capacity !== null;
  if (!isOpen || !isHeard || !hasImage(capacity, batch)) return [];
  const hosts = hostsAsRequired(batch.wishes, capacity.hosts).filter((host) => host.active);
  const byHost = Map.groupBy(
    others.filter((each) => each.clusterId === cluster.id),
    (each) => each.hostName,
  );
  // What is promised is taken from the roomiest, as when machines are placed.
  const rooms = roomsOf(
    { ...capacity, hosts },
    {
      vcpus: cluster.unseenVcpus + capacity.promisedVcpus,
      memoryMiB: cluster.unseenMemoryMiB + capacity.promisedMemoryMiB,
    },
  );
  const sorted = hosts.toSorted(
    (a, b) => b.freeVcpus - a.freeVcpus || b.freeMemoryMiB - a.freeMemoryMiB,
  );
  return sorted.map((host, index) => ({
    vcpus: rooms[index]?.vcpus ?? 0,
    memoryMiB: rooms[index]?.memoryMiB ?? 0,
    others: (byHost.get(host.hostName) ?? []).toSorted(firstToGo),
  }));
}

function firstToGo(a: Preemptible, b: Preemptible): number {
  return (
    Number(b.isLeaving) - Number(a.isLeaving) ||
    a.priority - b.priority ||
    b.createdAtMs - a.createdAtMs ||
    (a.id < b.id ? -1 : 1)
  );
}

/** How a machine would come to fit there; `undefined` when it would not. */
function offerOf(host: HostRoom, shape: Shape): Offer | undefined {
  let { vcpus, memoryMiB } = host;
  for (let count = 0; count <= host.others.length; count += 1) {
    if (machinesFitting({ vcpus, memoryMiB }, shape) > 0) {
      const after = {
        vcpus: vcpus - shape.vcpus,
        memoryMiB: memoryMiB - shape.memoryMiB - VM_MEMORY_OVERHEAD_MIB,
        others: host.others.slice(count),
      };
      return { host, after, gone: host.others.slice(0, count) };
    }
    const next = host.others[count];
    vcpus += next?.vcpus ?? 0;
    memoryMiB += next === undefined ? 0 : next.memoryMiB + VM_MEMORY_OVERHEAD_MIB;
  }
  return undefined;
}

/** vCPUs that are deleted for it. */
function costOf({ gone }: Offer): number {
  return gone.reduce((sum, each) => sum + (each.isLeaving ? 0 : each.vcpus), 0);
}

/** Whether room alone does not help: what is scarce besides is not told of machines. */
function needsMore({ batch }: PlanningSnapshot, shapes: readonly Shape[]): boolean {
  return shapes.some((shape) => Object.keys(scarceNeed(batch.wishes, shape)).length > 0);
}
