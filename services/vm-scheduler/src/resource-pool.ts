import type { Offer, Resource } from 'mesos-core/protocol';
import type { Amounts } from './placement.ts';

/** Mesos' names of what a VM takes; its `mem` and `disk` are in MiB. */
const RESOURCE_NAMES = { cpus: 'cpus', memoryMiB: 'mem', diskMiB: 'disk' } as const;

/** Scalars that may be used for VMs: no revocable ones, no volumes, no special disks. */
function isUsable(resource: Resource): boolean {
  return (
    resource.type === 'SCALAR' && resource.revocable === undefined && resource.disk === undefined
  );
}

/** What these offers have for VMs, summed over reservations. */
export function amountsOf(offers: readonly Offer[]): Amounts {
  const resources = offers.flatMap((offer) => offer.resources ?? []).filter(isUsable);
  const sum = (name: string): number =>
    resources
      .filter((resource) => resource.name === name)
      .reduce((total, resource) => total + (resource.scalar?.value ?? 0), 0);
  return {
    cpus: sum(RESOURCE_NAMES.cpus),
    memoryMiB: sum(RESOURCE_NAMES.memoryMiB),
    diskMiB: sum(RESOURCE_NAMES.diskMiB),
  };
}

/** Resources of some offers, handed out piece by piece with their reservations kept. */
export class ResourcePool {
  readonly #left: { readonly resource: Resource; value: number }[];

  constructor(offers: readonly Offer[]) {
    this.#left = offers
      .flatMap((offer) => offer.resources ?? [])
      .filter(isUsable)
      .map((resource) => ({ resource, value: resource.scalar?.value ?? 0 }))
      // Reserved ones first: only this role can use them.
      .sort((a, b) => Number(isReserved(b.resource)) - Number(isReserved(a.resource)));
  }

  /** Takes `need` out of the pool. The caller has checked that it fits. */
  take(need: Amounts): readonly Resource[] {
    return [
      ...this.#takeScalar(RESOURCE_NAMES.cpus, need.cpus),
      ...this.#takeScalar(RESOURCE_NAMES.memoryMiB, need.memoryMiB),
      ...this.#takeScalar(RESOURCE_NAMES.diskMiB, need.diskMiB),
    ];
  }

  #takeScalar(name: string, amount: number): readonly Resource[] {
    const taken: Resource[] = [];
    let missing = amount;
    for (const entry of this.#left) {
      if (missing <= 0) break;
      if (entry.resource.name !== name || entry.value <= 0) continue;
      const value = roundToMilli(Math.min(entry.value, missing));
      entry.value = roundToMilli(entry.value - value);
      missing = roundToMilli(missing - value);
      taken.push({ ...entry.resource, scalar: { value } });
    }
    return taken;
  }
}

function isReserved(resource: Resource): boolean {
  return (resource.reservations?.length ?? 0) > 0;
}

/** Mesos' scalars have three decimals. */
function roundToMilli(value: number): number {
  return Math.round(value * 1000) / 1000;
}
