import {
  hardwareResources,
  hugepagesMiB,
  VM_MEMORY_OVERHEAD_MIB,
  type VmAssignment,
} from '@factory/contracts';

/** Resources in Mesos' units: whole and parts of cpus, MiB of memory, MiB of disk. */
export interface Amounts {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** Further scalars by Mesos' names, `gpus` among them; what is not named is none. */
  readonly others?: Readonly<Record<string, number>>;
}

export const NOTHING: Amounts = { cpus: 0, memoryMiB: 0, diskMiB: 0 };

/** What a task takes that only cleans up: Mesos wants every task to take something. */
const CLEAN_UP_NEED: Amounts = { cpus: 0.01, memoryMiB: 32, diskMiB: 0 };

/**
 * What a VM's task takes from its host: the VM's own size and what QEMU needs beside it. To remove
 * a VM there is always room.
 */
export function needOf({ spec, desired }: Pick<VmAssignment, 'spec' | 'desired'>): Amounts {
  if (desired === 'deleted') return CLEAN_UP_NEED;
  const others = { ...spec.resources, ...hardwareResources(spec) };
  return {
    cpus: spec.vcpus,
    memoryMiB: spec.memoryMiB + VM_MEMORY_OVERHEAD_MIB,
    diskMiB: spec.diskGiB * 1024,
    ...(Object.keys(others).length > 0 ? { others } : {}),
  };
}

/** Mesos' scalars have three decimals; what is closer than half of the last one is equal. */
const TOLERANCE = 1e-6;

/** Whether `need` is there. */
export function fits(need: Amounts, free: Amounts): boolean {
  return (
    need.cpus <= free.cpus + TOLERANCE &&
    need.memoryMiB <= memoryFor(need, free) + TOLERANCE &&
    need.diskMiB <= free.diskMiB + TOLERANCE &&
    (need.others === undefined || lackingOthers(need, free).length === 0)
  );
}

/** Names of what is needed and not there, for people. */
export function lacking(need: Amounts, free: Amounts): readonly string[] {
  return [
    ...(need.cpus > free.cpus + TOLERANCE ? ['cpus'] : []),
    ...(need.memoryMiB > memoryFor(need, free) + TOLERANCE ? ['memory'] : []),
    ...(need.diskMiB > free.diskMiB + TOLERANCE ? ['disk'] : []),
    ...lackingOthers(need, free),
  ];
}

/** Huge pages are part of a host's memory, and are left to those who ask for them. */
function memoryFor(need: Amounts, free: Amounts): number {
  if (free.others === undefined) return free.memoryMiB;
  const leftMiB = hugepagesMiB(free.others) - hugepagesMiB(need.others ?? {});
  return free.memoryMiB - Math.max(0, leftMiB);
}

function lackingOthers(need: Amounts, free: Amounts): readonly string[] {
  return Object.entries(need.others ?? {})
    .filter(([name, amount]) => amount > (free.others?.[name] ?? 0) + TOLERANCE)
    .map(([name]) => name);
}

export function plus(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, 1);
}

/** What is left of `a`. */
export function minus(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, -1);
}

/** What `to` has beyond `from`; what it has less counts for nothing. */
export function growth(from: Amounts, to: Amounts): Amounts {
  const { cpus, memoryMiB, diskMiB, others } = minus(to, from);
  const grown = {
    cpus: Math.max(0, cpus),
    memoryMiB: Math.max(0, memoryMiB),
    diskMiB: Math.max(0, diskMiB),
  };
  if (others === undefined) return grown;
  const more = Object.entries(others).filter(([, amount]) => amount > 0);
  return { ...grown, others: Object.fromEntries(more) };
}

function combine(a: Amounts, b: Amounts, sign: 1 | -1): Amounts {
  const sum = {
    cpus: roundToMilli(a.cpus + sign * b.cpus),
    memoryMiB: roundToMilli(a.memoryMiB + sign * b.memoryMiB),
    diskMiB: roundToMilli(a.diskMiB + sign * b.diskMiB),
  };
  if (b.others === undefined) return a.others === undefined ? sum : { ...sum, others: a.others };
  const others: Record<string, number> = { ...a.others };
  for (const [name, amount] of Object.entries(b.others)) {
    others[name] = roundToMilli((others[name] ?? 0) + sign * amount);
  }
  return { ...sum, others };
}

/** Mesos' scalars have three decimals: binary fractions must not add up. */
export function roundToMilli(value: number): number {
  return Math.round(value * 1000) / 1000;
}
