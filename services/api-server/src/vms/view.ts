import { imageNameOf, type Vm } from '@factory/contracts';
import type { VmRecord } from './store.ts';

/** A machine as the API shows it. */
export function showVm(vm: VmRecord): Vm {
  return {
    id: vm.id,
    name: vm.name,
    projectId: vm.projectId,
    batchId: vm.batchId,
    batchName: vm.batchName,
    clusterId: vm.clusterId,
    hostName: vm.hostName,
    image: imageNameOf(vm.image),
    vcpus: vm.vcpus,
    memoryMiB: vm.memoryMiB,
    diskGiB: vm.diskGiB,
    ipAddress: vm.ipAddress,
    macAddress: vm.macAddress,
    externalAddress: vm.externalAddress,
    subnetId: vm.subnetId,
    nics: vm.nics.map(({ subnetId, ipAddress, macAddress }) => ({
      subnetId,
      ipAddress,
      macAddress,
    })),
    volumes: vm.volumes.map(({ tag, kind, guestPath, readOnly }) => ({
      ...{ name: tag, kind, readOnly },
      ...(guestPath === undefined ? {} : { path: guestPath }),
    })),
    securityRules: vm.securityRules === null ? null : [...vm.securityRules],
    desiredState: vm.desired,
    generation: vm.generation,
    appliedGeneration: vm.appliedGeneration,
    state: vm.state,
    guestReady: vm.guestReady,
    guest: vm.guest,
    reason: vm.reason,
    message: vm.message,
    stateSince: new Date(vm.stateSinceMs).toISOString(),
    timeline: vm.timeline,
    createdAt: new Date(vm.createdAtMs).toISOString(),
  };
}
