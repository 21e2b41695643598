import type { Offer, Resource } from 'mesos-core/protocol';
import { type Amounts, roundToMilli } from './placement-amounts.ts';

/** Scalars that may be used for VMs: no revocable ones, no volumes, no special disks. */
function isUsable(resource: Resource): boolean {
  return (
    resource.type === 'SCALAR' && resource.revocable === undefined && resource.disk === undefined
  );
}

/** What these offers have for VMs, summed over reservations. Mesos' `mem` and `disk` are in MiB. */
export function amountsOf(offers: readonly Offer[]): Amounts {
  const sums = new Map<string, number>();
  for (const offer of offers) {
    for (const resource of offer.resources ?? []) {
      if (!isUsable(resource)) continue;
      const value = (sums.get(resource.name) ?? 0) + (resource.scalar?.value ?? 0);
      sums.set(resource.name, roundToMilli(value));
    }
  }
  const { cpus = 0, mem = 0, disk = 0, ...others } = Object.fromEntries(sums);
  const amounts = { cpus, memoryMiB: mem, diskMiB: disk };
  return Object.keys(others).length === 0 ? amounts : { ...amounts, others };
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
  take({ cpus, memoryMiB, diskMiB, others = {} }: Amounts): readonly Resource[] {
    const scalars = { cpus, mem: memoryMiB, disk: diskMiB, ...others };
    return Object.entries(scalars).flatMap(([name, amount]) => this.#takeScalar(name, amount));
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
