import type { BatchId, ClusterId, ProjectId, SubnetId } from '@factory/contracts';
import { systemClock } from '@factory/runtime';
import type { BatchRecord, BatchSize } from '../batches/store.ts';
import type { PlanningSnapshot } from '../planning/store.ts';
import { capacityOf } from './cluster.ts';

const nowMs = systemClock.nowMs();

/** Equal machines. */
export function machines(count: number, vcpus = 1): BatchSize {
  return { kind: 'count', count, shape: { vcpus, memoryMiB: 128 } };
}

/** A batch that was just accepted, and one cluster of two hosts with four cores each. */
export function aSnapshot(
  size: BatchSize,
  more: Partial<PlanningSnapshot> = {},
  batch: Partial<BatchRecord> = {},
): PlanningSnapshot {
  const subnet = {
    id: 'sub_1' as SubnetId,
    projectId: 'prj_1' as ProjectId,
    ...{ name: 'default', cidr: '10.80.0.0/24', vni: 7, egress: 'none' as const },
    ...{ dnsDomain: 'default.internal', securityRules: [], nextOffset: 2 },
    ...{ createdAtMs: 0, deletedAtMs: null },
  };
  return {
    nowMs,
    batch: {
      id: 'bat_1' as BatchId,
      projectId: 'prj_1' as ProjectId,
      ...{ name: 'b', state: 'accepted', image: 'micro', imageVersion: null, size, diskGiB: 8 },
      ...{ sshPublicKeys: [], userData: '', labels: {}, wishes: {}, nics: [], securityRules: [] },
      ...{ volumes: [], volumeClusterId: null, priority: 0, preemptible: false, clusters: {} },
      ...{ preempted: 0 },
      ...{ pendingReason: null, needsPlanning: true, createdAtMs: nowMs, plannedAtMs: 0 },
      ...batch,
    },
    cards: [
      {
        subnet,
        pool: { cidr: subnet.cidr, vni: 7, nextOffset: 2, ahead: [], released: [] },
        asked: undefined,
      },
    ],
    planned: { count: 0, vcpus: 0 },
    unassigned: [],
    shares: [],
    clusters: [
      {
        id: 'clu_a' as ClusterId,
        name: 'a',
        lastSeenAtMs: nowMs,
        silentSinceMs: null,
        capacity: capacityOf(systemClock, 2, { vcpus: 4, memoryMiB: 8192 }),
        unseenVcpus: 0,
        unseenMemoryMiB: 0,
        lastCommandSeq: 10,
      },
    ],
    ...more,
  };
}
