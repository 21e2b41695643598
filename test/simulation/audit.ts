import {
  type DesiredState,
  stateDeadlineMs,
  type VmId,
  type VmReason,
  type VmState,
} from '@factory/contracts';

/** A VM as the API's store has it. */
export interface ApiVm {
  readonly id: VmId;
  readonly desired: DesiredState;
  readonly state: VmState;
  readonly stateSinceMs: number;
  readonly reason: VmReason | null;
  readonly message: string | null;
  readonly hostName: string | null;
}

/** A VM as its cluster's scheduler has it. */
export interface SchedulerVm {
  readonly assignment: { readonly vmId: VmId };
  readonly phase: string;
  readonly hostName: string | null;
  /** Its agent, as long as something of it is, or may be, there. */
  readonly boundAgentId: string | null;
}

/** All that is on a host in our name, by kind: `domains`, `folders`, `leases`, `cards`, … */
export interface HostInventory {
  readonly hostName: string;
  readonly resources: Readonly<Record<string, readonly VmId[]>>;
}

/** What the three parties say at one moment. */
export interface World {
  readonly nowMs: number;
  readonly api: readonly ApiVm[];
  /** undefined while no scheduler runs. */
  readonly scheduler: readonly SchedulerVm[] | undefined;
  readonly hosts: readonly HostInventory[];
}

/** Beyond a state's deadline: its executor keeps that, the scheduler a minute more, and words travel. */
const MARGIN_MS = 3 * 60_000;

/** What must hold at every moment; gives every breach in words. Pure. */
export function auditAlways({ nowMs, api, hosts }: World): readonly string[] {
  return [...doubled(hosts), ...api.flatMap((vm) => [...overdue(vm, nowMs), ...unexplained(vm)])];
}

/** What must hold as well when nothing moves: every resource has an owner, every VM a keeper. */
export function auditAtRest(world: World): readonly string[] {
  const { api, scheduler, hosts } = world;
  if (scheduler === undefined) return auditAlways(world);
  const records = new Map(scheduler.map((record) => [record.assignment.vmId, record]));
  const known = new Map(api.map((vm) => [vm.id, vm]));
  return [
    ...auditAlways(world),
    ...api.flatMap((vm) => unkept(vm, records.get(vm.id))),
    ...scheduler.flatMap((record) => unwished(record, known.get(record.assignment.vmId))),
    ...hosts.flatMap((host) => unowned(host, records)),
  ];
}

/** A VM is in one place, and has one of each of its resources but cards, of which it may have more. */
function doubled(hosts: readonly HostInventory[]): readonly string[] {
  const places = new Map<VmId, string>();
  const breaches = new Set<string>();
  for (const { hostName, resources } of hosts) {
    for (const vmId of [...(resources.domains ?? []), ...(resources.folders ?? [])]) {
      const other = places.get(vmId) ?? hostName;
      if (other !== hostName) breaches.add(`${vmId} is on ${other} and on ${hostName}`);
      places.set(vmId, hostName);
    }
  }
  return [...breaches];
}

/** No state without an owner who moves it on in time. */
function overdue({ id, state, stateSinceMs }: ApiVm, nowMs: number): readonly string[] {
  const deadlineMs = stateDeadlineMs(state, stateSinceMs);
  if (deadlineMs === undefined || nowMs <= deadlineMs + MARGIN_MS) return [];
  const seconds = Math.round((nowMs - stateSinceMs) / 1000);
  return [`${id} has been ${state} for ${seconds} s`];
}

function unexplained({ id, state, reason, message }: ApiVm): readonly string[] {
  const isExplained = state !== 'failed' || (reason !== null && message !== null && message !== '');
  return isExplained ? [] : [`${id} failed without a word: ${reason}: ${message}`];
}

/** A VM that is said to be on a host is one that the scheduler has there. */
function unkept(vm: ApiVm, record: SchedulerVm | undefined): readonly string[] {
  if (vm.state === 'deleted' || vm.state === 'failed') return [];
  if (record === undefined || record.phase === 'deleted') {
    return [`${vm.id} is ${vm.state}, and no scheduler keeps it`];
  }
  if (record.hostName === vm.hostName) return [];
  return [`${vm.id} is said to be on ${vm.hostName}, its scheduler has it on ${record.hostName}`];
}

/** Nothing is kept that nobody wished, or that is deleted. */
function unwished({ assignment, phase }: SchedulerVm, vm: ApiVm | undefined): readonly string[] {
  if (phase === 'deleted' || (vm !== undefined && vm.state !== 'deleted')) return [];
  return [`${assignment.vmId} is ${phase} at the scheduler, and nobody wishes it`];
}

/** Whatever is on a host belongs to a VM that its scheduler has there. */
function unowned(
  { hostName, resources }: HostInventory,
  records: ReadonlyMap<VmId, SchedulerVm>,
): readonly string[] {
  return Object.entries(resources).flatMap(([kind, vmIds]) =>
    vmIds.flatMap((vmId) => {
      const record = records.get(vmId);
      const isOwned = record?.hostName === hostName && record.boundAgentId !== null;
      if (isOwned && record.phase !== 'deleted') return [];
      return [`${hostName} has ${kind} of ${vmId}, which is ${record?.phase ?? 'unknown'}`];
    }),
  );
}
