import type { VmReason } from '@factory/contracts';

/** What libvirt and QEMU say of parts of a host that are not there, or not free. */
const SAYINGS: readonly (readonly [VmReason, RegExp])[] = [
  [
    'GPU_UNAVAILABLE',
    /passthrough of host PCI devices|PCI device \S+ (is in use|is not assignable|not found)|Device \S+ not found: could not access \S*\/pci\/|vfio \S+: /i,
  ],
  ['HUGEPAGES_UNAVAILABLE', /hugetlbfs|unable to map backing store for guest RAM/i],
  ['CPUS_UNAVAILABLE', /cpuset\.cpus|NUMA node \d+ is unavailable|set CPU affinity/i],
  [
    'CPU_MODEL_UNAVAILABLE',
    /unknown CPU model|CPU is incompatible with host CPU|guest CPU doesn't match|CPU (model|mode) .* not supported/i,
  ],
];

/** Which part of its host a domain could not have, by what was said; undefined: none is named. */
export function hardwareReason(message: string): VmReason | undefined {
  return SAYINGS.find(([, saying]) => saying.test(message))?.[0];
}
