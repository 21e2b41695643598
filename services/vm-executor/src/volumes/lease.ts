import { VmIdSchema } from '@factory/contracts';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

/**
 * `lease-<epoch>.json` beside a disk: who may have it open. The api-server numbers them, a new one
 * only once whoever had the disk before has closed it or was declared gone; so a higher number wins.
 */
const LeaseSchema = Type.Object({
  epoch: Type.Integer({ minimum: 1 }),
  /** Name of the agent's host. */
  holder: Type.String(),
  vmId: VmIdSchema,
  /** Differs each time it is renewed; other hosts' clocks are not compared with it. */
  renewedAtMs: Type.Number(),
});
export type Lease = Static<typeof LeaseSchema>;

const leaseFile = Compile(LeaseSchema);

/** How often a holder renews its lease. */
export const LEASE_RENEWAL_MS = 15_000;
/** A lease that was seen not to change for this long is nobody's any more. */
export const LEASE_DEAD_MS = 60_000;

/** Name of the file of a lease. */
export function leaseName(epoch: number): string {
  return `lease-${epoch}.json`;
}

/** The number of a lease by its file's name; undefined for other files. */
export function epochOf(name: string): number | undefined {
  const digits = /^lease-(\d{1,15})\.json$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A lease from its file; undefined when it makes no sense, as that of one cut off while writing. */
export function parseLease(text: string): Lease | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return leaseFile.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A lease's file as it was found, and whether it has stood still for too long. */
export interface FoundLease {
  readonly epoch: number;
  /** Undefined: it was not written to its end. */
  readonly lease: Lease | undefined;
  readonly isDead: boolean;
}

/** Whether a disk may be taken. */
export type LeaseDecision =
  /** It is ours already, or that of an earlier launch of the same VM: write it anew. */
  | { readonly kind: 'renew'; readonly outdated: readonly number[] }
  /** Nobody has it: the file of the wanted number is made, by whoever is first. */
  | { readonly kind: 'create'; readonly outdated: readonly number[] }
  /** Somebody has it who may still live. */
  | { readonly kind: 'wait'; readonly for: FoundLease }
  /** It was given to somebody after us. */
  | { readonly kind: 'overtaken'; readonly by: FoundLease };

/** Whether `wanted` may be taken beside the leases that were found. Pure. */
export function decideLease(
  found: readonly FoundLease[],
  wanted: Pick<Lease, 'epoch' | 'holder' | 'vmId'>,
): LeaseDecision {
  const newer = found.find(({ epoch }) => epoch > wanted.epoch);
  if (newer !== undefined) return { kind: 'overtaken', by: newer };
  const isOurs = ({ lease }: FoundLease): boolean =>
    lease?.holder === wanted.holder && lease.vmId === wanted.vmId;
  const live = found.find((each) => !isOurs(each) && !each.isDead);
  if (live !== undefined) return { kind: 'wait', for: live };
  const same = found.find(({ epoch }) => epoch === wanted.epoch);
  const outdated = found.map(({ epoch }) => epoch).filter((epoch) => epoch < wanted.epoch);
  if (same === undefined) return { kind: 'create', outdated };
  const isSameVm = same.lease === undefined || same.lease.vmId === wanted.vmId;
  // A number belongs to one VM; that of another has been read wrong, or forged.
  return isSameVm ? { kind: 'renew', outdated } : { kind: 'wait', for: same };
}
