import type { Vm, VmState } from '@factory/contracts';

/** What UCloud calls the states of machines; an empty text is "unknown". */
const STATES: Readonly<Partial<Record<VmState, string>>> = {
  pending: 'Initializing',
  scheduled: 'Initializing',
  launching: 'Initializing',
  preparing: 'Initializing',
  rebuilding: 'Initializing',
  starting: 'Starting',
  resuming: 'Starting',
  running: 'Running',
  stopping: 'Stopping',
  suspending: 'Stopping',
  deleting: 'Stopping',
  stopped: 'Stopped',
  suspended: 'Stopped',
  rebooting: 'Rebooting',
  failed: 'Install Fail',
};

/** A machine as DescribeUHostInstance shows it. Pure. */
export function showUHost(vm: Vm, zones: ReadonlyMap<string, string>): object {
  const addresses = [
    {
      ...{ IPMode: 'IPv4', Type: 'Private', Default: 'true', IP: vm.ipAddress ?? '' },
      ...{ Mac: vm.macAddress ?? '', SubnetId: vm.subnetId ?? '' },
    },
    ...(vm.nics ?? []).map((nic) => ({
      ...{ IPMode: 'IPv4', Type: 'Private', Default: 'false', IP: nic.ipAddress },
      ...{ Mac: nic.macAddress, SubnetId: nic.subnetId },
    })),
  ];
  return {
    UHostId: vm.id,
    Name: vm.name,
    Tag: vm.batchName,
    Zone: zones.get(vm.clusterId ?? '') ?? '',
    State: STATES[vm.state] ?? '',
    Remark: vm.message ?? '',
    ImageId: vm.image,
    BasicImageId: vm.image,
    BasicImageName: vm.image,
    CPU: vm.vcpus,
    Memory: vm.memoryMiB,
    GPU: 0,
    CreateTime: seconds(vm.createdAt),
    ExpireTime: 0,
    ChargeType: 'Dynamic',
    AutoRenew: 'No',
    LifeCycle: 'Normal',
    DiskSet: [
      { DiskId: vm.id, DiskType: 'LOCAL_NORMAL', Type: 'Boot', IsBoot: 'True', Size: vm.diskGiB },
    ],
    IPSet: addresses,
  };
}

/** An instant in seconds since 1970. */
export function seconds(instant: string): number {
  return Math.floor(Date.parse(instant) / 1000);
}
