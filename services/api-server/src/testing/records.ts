import type { BatchId, ClusterId, ProjectId, SubnetId, VmId } from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';

/** A machine that was given to a cluster and has not been heard of. */
export function aVm(index: number): VmRecord {
  const digits = index.toString(16).padStart(32, '0');
  return {
    id: `vm_${digits}` as VmId,
    projectId: `prj_${'0'.repeat(32)}` as ProjectId,
    batchId: `bat_${'0'.repeat(32)}` as BatchId,
    batchName: 'web',
    name: `web-${index + 1}`,
    image: 'micro',
    imageVersion: null,
    imageGeneration: 0,
    vcpus: 1,
    memoryMiB: 64,
    diskGiB: 1,
    subnetId: `sub_${'0'.repeat(32)}` as SubnetId,
    addressOffset: index + 2,
    ipAddress: `10.80.${index >> 8}.${index & 255}`,
    macAddress: '02:00:00:00:00:01',
    nics: [],
    createdAtMs: 1_000,
    desired: 'running',
    generation: 1,
    clusterId: `clu_${'0'.repeat(32)}` as ClusterId,
    assignmentEpoch: 1,
    assignedSeq: 1,
    state: 'scheduled',
    stateSinceMs: 2_000,
    guestReady: false,
    guest: null,
    reason: null,
    message: null,
    hostName: null,
    revision: 0,
    appliedGeneration: 0,
    timeline: { accepted: 1_000 },
    volumes: [],
    leavingVolumes: [],
    securityRules: null,
    wantsExternal: null,
    externalAddress: null,
    excluded: [],
  };
}
