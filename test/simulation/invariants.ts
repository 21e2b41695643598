import { VM_EXECUTOR_NEED, type Vm, type VmId } from '@factory/contracts';
import { auditAlways, auditAtRest } from './audit.ts';
import type { SimulatedFactory } from './factory.ts';
import type { SimHost } from './sim-host.ts';

/** What must hold at every moment; gives every breach in words. */
export function checkAlways(factory: SimulatedFactory): readonly string[] {
  const { hosts } = factory;
  return [
    ...factory.fatalErrors,
    ...factory.master.invariants(),
    ...auditAlways(factory.world),
    ...hosts.flatMap(checkRoom),
    ...hosts.flatMap(checkHandedOut),
    ...checkUnique(
      'machine',
      hosts.flatMap((host) => [...host.machine.domains.keys()]),
    ),
    ...checkUnique(
      'address',
      plansOf(hosts).map(({ ipAddress }) => ipAddress),
    ),
    ...checkUnique(
      'MAC',
      plansOf(hosts).map(({ macAddress }) => macAddress),
    ),
  ];
}

/** What must hold when nothing moves any more: the API tells the truth about every host. */
export function checkTruth(factory: SimulatedFactory, vms: readonly Vm[]): readonly string[] {
  const hostsOfVm = new Map<VmId, SimHost>();
  for (const host of factory.hosts) {
    for (const vmId of host.machine.domains.keys()) hostsOfVm.set(vmId, host);
  }
  const known = new Set(vms.map(({ id }) => id));
  const orphans = [...hostsOfVm].filter(([vmId]) => !known.has(vmId));
  return [
    ...orphans.map(([vmId, host]) => `${vmId} is on ${host.hostName}, and the API has no such VM`),
    ...vms.flatMap((vm) => checkVm(vm, hostsOfVm.get(vm.id))),
    ...auditAtRest(factory.world),
    ...checkUnique(
      'address in the API',
      vms.map(({ ipAddress }) => ipAddress),
    ),
    ...checkUnique(
      'MAC in the API',
      vms.map(({ macAddress }) => macAddress),
    ),
  ];
}

/** What must hold when everything is deleted: no trace on any host. */
export function checkNothingLeft(factory: SimulatedFactory): readonly string[] {
  return factory.hosts.flatMap(({ hostName, machine }) => {
    const { domains, folders, leases, consoles, network, partialImages } = machine;
    const left = {
      'unfinished images': partialImages.size,
      domains: domains.size,
      folders: folders.size,
      leases: leases.size,
      'parts of the host': machine.hardware.grants.size,
      consoles: consoles.size,
      cards: network.cards().length,
      subnets: network.subnetIds().length,
    };
    return Object.entries(left)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${hostName} has ${count} ${what} left`);
  });
}

function checkVm(vm: Vm, host: SimHost | undefined): readonly string[] {
  const domain = host?.machine.domains.get(vm.id);
  if (vm.state === 'deleted')
    return host === undefined ? [] : [`${vm.id} is deleted and still there`];
  // What could not be made is on no host; what failed later may be on or off.
  if (vm.state === 'failed') return [];
  if (host === undefined || domain === undefined) return [`${vm.id} is ${vm.state}, on no host`];
  const isOn = vm.state === 'running';
  return [
    ...(domain.on === isOn ? [] : [`${vm.id} is ${vm.state}, its guest is not`]),
    ...(vm.hostName === host.hostName ? [] : [`${vm.id} is said to be on ${vm.hostName}`]),
    ...(domain.plan.macAddress === vm.macAddress ? [] : [`${vm.id} has another MAC`]),
  ];
}

/** No card and no core of a host is two running guests'. */
function checkHandedOut({ hostName, machine }: SimHost): readonly string[] {
  const plans = [...machine.domains.values()].filter(({ on }) => on).map(({ plan }) => plan);
  const [devices, cpus] = [
    plans.flatMap(({ hostDevices = [] }) => hostDevices),
    plans.flatMap(({ hostCpus = [] }) => hostCpus.map(String)),
  ];
  return [
    ...checkUnique(`device of ${hostName}`, devices),
    ...checkUnique(`core of ${hostName}`, cpus),
  ];
}

function checkRoom({ hostName, machine, shape }: SimHost): readonly string[] {
  const plans = [...machine.domains.values()].map(({ plan }) => plan);
  const vcpus = plans.reduce<number>((sum, plan) => sum + plan.vcpus, VM_EXECUTOR_NEED.vcpus);
  const memoryMiB = plans.reduce<number>(
    (sum, plan) => sum + plan.memoryMiB,
    VM_EXECUTOR_NEED.memoryMiB,
  );
  if (vcpus <= shape.vcpus && memoryMiB <= shape.memoryMiB) return [];
  return [`${hostName} has guests with ${vcpus} vCPUs and ${memoryMiB} MiB`];
}

function plansOf(hosts: readonly SimHost[]) {
  return hosts.flatMap(({ machine }) => [...machine.leases.values()]);
}

function checkUnique(what: string, values: readonly (string | null)[]): readonly string[] {
  const seen = new Set<string | null>();
  return values.flatMap((value) => {
    const isTwice = value !== null && seen.has(value);
    seen.add(value);
    return isTwice ? [`${what} ${value} is there twice`] : [];
  });
}
