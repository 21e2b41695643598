import {
  PROBLEMS,
  QUOTA_LIMITS,
  type QuotaAmounts,
  type QuotaLimit,
  type QuotaLimits,
  type Shape,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { BatchSize } from '../batches/store.ts';

/** Nothing of anything. */
export const NOTHING: QuotaAmounts = {
  ...{ vms: 0, vcpus: 0, memoryMiB: 0, diskGiB: 0 },
  ...{ images: 0, volumes: 0, volumeGiB: 0, subnets: 0 },
};

/** Machines, in what they take of a quota. */
export type MachineAmounts = Pick<QuotaAmounts, 'vms' | 'vcpus' | 'memoryMiB' | 'diskGiB'>;

/** Whose limit it is. */
export type QuotaScope = 'project' | 'organisation';

/** What a project, or its organisation, may have and has. */
export interface QuotaStanding {
  readonly scope: QuotaScope;
  readonly limits: QuotaLimits;
  readonly used: QuotaAmounts;
}

/** A limit that something that was asked for is above of. */
export interface QuotaExcess {
  readonly scope: QuotaScope;
  readonly limit: QuotaLimit;
  readonly used: number;
  readonly asked: number;
  readonly max: number;
}

/** The first limit that is too low for what is asked; undefined when all is well. Pure. */
export function decideQuota(
  standings: readonly QuotaStanding[],
  asked: Partial<QuotaAmounts>,
): QuotaExcess | undefined {
  for (const { scope, limits, used } of standings) {
    for (const limit of QUOTA_LIMITS) {
      const max = limits[limit];
      const more = asked[limit] ?? 0;
      // Whoever has too much already may still ask for nothing more of it.
      if (max === undefined || more <= 0 || used[limit] + more <= max) continue;
      return { scope, limit, used: used[limit], asked: more, max };
    }
  }
  return undefined;
}

/** The sum of amounts. */
export function sumOf(amounts: readonly Partial<QuotaAmounts>[]): QuotaAmounts {
  const sum = { ...NOTHING };
  for (const each of amounts) for (const key of QUOTA_LIMITS) sum[key] += each[key] ?? 0;
  return sum;
}

/**
 * The most that the machines of a batch can come to take. How many cores are made into which of the
 * allowed shapes is known only when clusters have planned them. Pure.
 */
export function claimOf(size: BatchSize, diskGiB: number): MachineAmounts {
  if (size.kind === 'count') return amountsOf(size.count, size.shape, diskGiB);
  const { totalVcpus, shapes } = size;
  const vms = Math.ceil(totalVcpus / Math.min(...shapes.map(({ vcpus }) => vcpus)));
  const perCore = Math.max(...shapes.map(({ vcpus, memoryMiB }) => memoryMiB / vcpus));
  const memoryMiB = Math.ceil(totalVcpus * perCore);
  return { vms, vcpus: totalVcpus, memoryMiB, diskGiB: vms * diskGiB };
}

/** How much was asked for: machines, or cores. */
export function machinesOrCores(size: BatchSize): number {
  return size.kind === 'count' ? size.count : size.totalVcpus;
}

/** What equal machines take. */
export function amountsOf(vms: number, shape: Shape, diskGiB: number): MachineAmounts {
  const { vcpus, memoryMiB } = shape;
  return { vms, vcpus: vms * vcpus, memoryMiB: vms * memoryMiB, diskGiB: vms * diskGiB };
}

/** What a batch may still come to take when so much of it has been planned. Pure. */
export function unplannedOf(claim: MachineAmounts, planned: MachineAmounts): MachineAmounts {
  if (planned.vcpus >= claim.vcpus) return { vms: 0, vcpus: 0, memoryMiB: 0, diskGiB: 0 };
  return {
    vms: Math.max(0, claim.vms - planned.vms),
    vcpus: claim.vcpus - planned.vcpus,
    memoryMiB: Math.max(0, claim.memoryMiB - planned.memoryMiB),
    diskGiB: Math.max(0, claim.diskGiB - planned.diskGiB),
  };
}

/** The limits of a project that are above its organisation's. Pure. */
export function aboveOf(limits: QuotaLimits, ofOrganisation: QuotaLimits): QuotaLimit | undefined {
  return QUOTA_LIMITS.find((limit) => {
    const own = limits[limit];
    const max = ofOrganisation[limit];
    return own !== undefined && max !== undefined && own > max;
  });
}

const WORDS: Readonly<Record<QuotaLimit, string>> = {
  vms: 'machines',
  vcpus: 'vCPUs',
  memoryMiB: 'MiB of memory',
  diskGiB: 'GiB of disks of machines',
  images: 'versions of images',
  volumes: 'volumes',
  volumeGiB: 'GiB of volumes',
  subnets: 'subnets',
};

/** The answer to who asks for too much. */
export function quotaExceeded({ scope, limit, used, asked, max }: QuotaExcess): ProblemError {
  const detail =
    `The ${scope} may have ${max} ${WORDS[limit]}: ${used} are in use or asked for already, ` +
    `and this asks for ${asked}. Delete some, or have the limit raised.`;
  return new ProblemError(PROBLEMS.quotaExceeded, detail, {
    extra: { scope, limit, used, asked, max },
  });
}
