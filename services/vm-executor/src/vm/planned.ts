import { dirname, join } from 'node:path';
import type { VmHardware } from '@factory/contracts';
import type { DomainPlan } from '../hypervisor/domain-plan.ts';
import type { Seed, VmPaths } from '../storage/port.ts';
import type { VmRecord } from './record.ts';

/** What the guest finds on its seed, in the form that its system reads. Pure. */
export function seedOf({ vmId, spec }: VmRecord): Seed {
  const { hostname, sshPublicKeys, userData } = spec;
  const seed: Seed = { instanceId: vmId, hostname, sshPublicKeys, userData };
  return spec.hardware?.os === 'windows' ? { ...seed, form: 'config-drive' } : seed;
}

/** The domain that the record's spec asks for, of the VM's files. Pure. */
export function domainPlan({ vmId, generation, spec }: VmRecord, paths: VmPaths): DomainPlan {
  const { vcpus, memoryMiB, network, hardware } = spec;
  return {
    ...{ vmId, generation, vcpus, memoryMiB },
    subnetId: network.subnetId,
    macAddress: network.macAddress,
    ...paths,
    ...(hardware === undefined ? {} : { hardware }),
    // Beside the disk: it is copied, kept and removed with it.
    ...(hasUefi(hardware) ? { nvramPath: join(dirname(paths.diskPath), 'nvram.fd') } : {}),
    hasScreen: true,
    // A virtio device: without drivers there is nobody to answer.
    hasAgentChannel: hardware?.devices !== 'emulated',
  };
}

function hasUefi(hardware: VmHardware | undefined): boolean {
  return hardware?.firmware !== undefined && hardware.firmware !== 'bios';
}
