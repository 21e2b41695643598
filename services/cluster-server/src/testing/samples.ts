import {
  type BatchId,
  type ProjectId,
  type SubnetId,
  standing,
  type VmAssignment,
  type VmId,
  type VmReport,
  type VmState,
} from '@factory/contracts';

function hex(n: number): string {
  return n.toString(16).padStart(32, '0');
}

export function vmIdNumber(n: number): VmId {
  return `vm_${hex(n)}` as VmId;
}

export function batchIdNumber(n: number): BatchId {
  return `bat_${hex(n)}` as BatchId;
}

/** What the cluster says of the `n`th VM. */
export function report(n: number, revision: number, state: VmState = 'running'): VmReport {
  return {
    vmId: vmIdNumber(n),
    assignmentEpoch: 1,
    revision,
    generation: 1,
    ...standing(state, null, null),
    stateSinceMs: 0,
    guestReady: false,
    hostName: null,
    timeline: {},
  };
}

/** The `n`th VM as it is given to the cluster: 2 vCPUs, 1 GiB. */
export function assignment(n: number): VmAssignment {
  return {
    vmId: vmIdNumber(n),
    batchId: batchIdNumber(1),
    projectId: `prj_${hex(1)}` as ProjectId,
    assignmentEpoch: 1,
    generation: 1,
    desired: 'running',
    timeline: {},
    spec: {
      hostname: `vm-${n}`,
      image: { name: 'micro' },
      vcpus: 2,
      memoryMiB: 1_024,
      diskGiB: 1,
      network: {
        subnetId: `sub_${hex(1)}` as SubnetId,
        cidr: '10.80.0.0/16',
        gatewayAddress: '10.80.0.1',
        ipAddress: '10.80.0.9',
        macAddress: '52:54:00:00:00:01',
      },
      sshPublicKeys: [],
      userData: '',
    },
  };
}
