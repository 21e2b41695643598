import { describe, expect, it } from 'vitest';
import { hardwareReason } from './hardware-failures.ts';

/** As libvirt 9 and QEMU 7 say it. */
const SAYINGS = [
  [
    'Requested operation is not valid: PCI device 0000:3b:00.0 is in use by driver QEMU, domain a',
    'GPU_UNAVAILABLE',
  ],
  [
    "unsupported configuration: host doesn't support passthrough of host PCI devices",
    'GPU_UNAVAILABLE',
  ],
  [
    'Device 0000:3b:00.0 not found: could not access /sys/bus/pci/devices/0000:3b:00.0/config: No such file',
    'GPU_UNAVAILABLE',
  ],
  [
    'qemu-system-x86_64: unable to map backing store for guest RAM: Cannot allocate memory',
    'HUGEPAGES_UNAVAILABLE',
  ],
  [
    'internal error: hugetlbfs filesystem is not mounted or disabled by administrator config',
    'HUGEPAGES_UNAVAILABLE',
  ],
  [
    "Unable to write to '/sys/fs/cgroup/cpuset/machine/qemu-7/vcpu1/cpuset.cpus': Numerical result out of range",
    'CPUS_UNAVAILABLE',
  ],
  ['unsupported configuration: NUMA node 3 is unavailable', 'CPUS_UNAVAILABLE'],
  ['internal error: Unknown CPU model Nonsense', 'CPU_MODEL_UNAVAILABLE'],
  [
    'the CPU is incompatible with host CPU: Host CPU does not provide required features: avx512f',
    'CPU_MODEL_UNAVAILABLE',
  ],
  ['internal error: process exited while connecting to monitor', undefined],
] as const;

describe('what a hypervisor says of the parts of its host', () => {
  it.each(SAYINGS)('%s', (message, reason) => {
    expect(hardwareReason(message)).toBe(reason);
  });
});
