import { connectLibvirt, type DomainStats } from '@factory/libvirt';
import type { Clock, Logger } from '@factory/runtime';
import { toVmFailure } from '../hypervisor/libvirt-link.ts';
import { vmIdOfDomain } from '../hypervisor/names.ts';
import type { StatsPort } from './port.ts';
import type { VmCounters } from './rates.ts';

const GROUPS = ['cpu', 'balloon', 'net', 'block'] as const;
const KIB_PER_MIB = 1_024;

/** Guests' counters from libvirt's bulk statistics. */
export function createLibvirtStats(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly socketPath: string;
}): StatsPort {
  return {
    async collect() {
      try {
        // A connection of its own each time: nothing that guests wait for is behind this call.
        const libvirt = await connectLibvirt({ ...options, uri: 'qemu:///system' });
        try {
          // A guest that is being saved or backed up is not waited for.
          const asked = { groups: GROUPS, only: 'active', noWait: true } as const;
          return (await libvirt.domains.stats(asked)).flatMap((stats) => countersOf(stats) ?? []);
        } finally {
          await libvirt.close();
        }
      } catch (error) {
        throw toVmFailure(error);
      }
    },
  };
}

/** What libvirt said of a domain; undefined for one that is not ours, or of which it said too little. */
export function countersOf(stats: DomainStats): VmCounters | undefined {
  const { domain, cpu, balloon, blocks, nets } = stats;
  const vmId = vmIdOfDomain(domain.name);
  if (vmId === undefined || cpu === undefined) return undefined;
  const disk = sumOf(blocks);
  const net = sumOf(nets);
  return {
    vmId,
    // Beyond 2^53 ns, 104 days of one core, some nanoseconds are lost.
    cpuTimeNs: Number(cpu.timeNs),
    memoryMiB: Number(balloon?.currentKiB ?? 0n) / KIB_PER_MIB,
    residentMiB: Number(balloon?.residentKiB ?? 0n) / KIB_PER_MIB,
    diskReadBytes: disk('readBytes'),
    diskWriteBytes: disk('writeBytes'),
    diskReads: disk('readRequests'),
    diskWrites: disk('writeRequests'),
    netReceivedBytes: net('rxBytes'),
    netSentBytes: net('txBytes'),
    netReceivedPackets: net('rxPackets'),
    netSentPackets: net('txPackets'),
  };
}

/** Of all devices, the sum of a counter by its name. */
function sumOf<Device extends object>(devices: readonly Device[]) {
  return (name: keyof Device): number =>
    devices.reduce((sum, device) => sum + Number(device[name]), 0);
}
