import {
  type BatchId,
  type OperationId,
  type ProjectId,
  type SubnetId,
  standing,
  type VmAssignment,
  type VmId,
  type VmObservation,
  type VmSpec,
} from '@factory/contracts';
import type { Offer, Resource } from 'mesos-core/protocol';
import { applyLaunch, newVmRecord, type VmRecord } from '../vm-record.ts';

/** The `n`th id of its kind. */
function hex(n: number): string {
  return n.toString(16).padStart(32, '0');
}

export function vmIdNumber(n: number): VmId {
  return `vm_${hex(n)}` as VmId;
}

export function operationIdNumber(n: number): OperationId {
  return `op_${hex(n)}` as OperationId;
}

/** The `n`th VM as a cluster gets it: 1 vCPU, 128 MiB, 1 GiB of disk, wished to run. */
export function sampleAssignment(
  n = 1,
  changes: Partial<VmAssignment> & { readonly size?: Partial<VmSpec> } = {},
): VmAssignment {
  const { size, ...rest } = changes;
  return {
    vmId: vmIdNumber(n),
    batchId: `bat_${hex(1)}` as BatchId,
    projectId: `prj_${hex(1)}` as ProjectId,
    assignmentEpoch: 1,
    generation: 1,
    desired: 'running',
    timeline: { accepted: 1, planned: 2 },
    spec: {
      hostname: `vm-${n}`,
      image: { name: 'micro' },
      vcpus: 1,
      memoryMiB: 128,
      diskGiB: 1,
      network: {
        subnetId: `sub_${hex(1)}` as SubnetId,
        cidr: '10.80.0.0/16',
        gatewayAddress: '10.80.0.1',
        ipAddress: `10.80.1.${n % 250}`,
        macAddress: '52:54:00:00:00:01',
      },
      sshPublicKeys: [],
      userData: '',
      ...size,
    },
    ...rest,
  };
}

/** What an executor says of the `n`th VM. */
export function sampleObservation(n = 1, changes: Partial<VmObservation> = {}): VmObservation {
  const { state = 'running', reason = null, message = null, ...others } = changes;
  return {
    vmId: vmIdNumber(n),
    seq: 1_000,
    generation: 1,
    stateSinceMs: 5_000,
    guestReady: false,
    timeline: { started: 5_000 },
    ...others,
    ...standing(state, reason, message),
  };
}

/** A VM whose first task was launched on `agent-1` at time 10. */
export function launchedRecord(n = 1, changes: Partial<VmAssignment> = {}): VmRecord {
  const record = newVmRecord(sampleAssignment(n, changes), 5);
  return applyLaunch(record, { agentId: 'agent-1', hostName: 'host-1' }, 10);
}

export function scalar(name: string, value: number, more: Partial<Resource> = {}): Resource {
  const allocation_info = { role: 'compute-factory' };
  return { name, type: 'SCALAR', scalar: { value }, allocation_info, ...more } as Resource;
}

/** An offer of one agent: 8 cpus, 8 GiB of memory and 100 GiB of disk unless said otherwise. */
export function sampleOffer(
  id: string,
  agentId: string,
  size: { readonly cpus?: number; readonly mem?: number; readonly disk?: number } = {},
  hasExecutor = false,
): Offer {
  const { cpus = 8, mem = 8_192, disk = 102_400 } = size;
  return {
    id: { value: id },
    framework_id: { value: 'framework-1' },
    agent_id: { value: agentId },
    hostname: agentId.replace('agent', 'host'),
    resources: [scalar('cpus', cpus), scalar('mem', mem), scalar('disk', disk)],
    ...(hasExecutor ? { executor_ids: [{ value: 'vm-executor' }] } : {}),
  };
}
