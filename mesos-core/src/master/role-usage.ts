import { fromUnits, type Quantities, type Resources, toUnits } from '../protocol/index.ts';

/**
 * How much each framework holds under each of its roles, kept up to date by difference, so that a
 * round of the allocator need not look at tasks.
 */
export class RoleUsage {
  /** Framework → role → name of a scalar → amount in thousandths, so that sums stay exact. */
  readonly #units = new Map<string, Map<string, Map<string, number>>>();

  /** Counts resources that carry their allocation marks; others are nobody's. */
  add(frameworkId: string, resources: Resources): void {
    this.#change(frameworkId, resources, 1);
  }

  /** Takes back what {@link add} counted. */
  subtract(frameworkId: string, resources: Resources): void {
    this.#change(frameworkId, resources, -1);
  }

  /** What the framework holds under the role. */
  of(frameworkId: string, role: string): Quantities {
    const units = this.#units.get(frameworkId)?.get(role) ?? [];
    return Object.fromEntries([...units].map(([name, count]) => [name, fromUnits(count)]));
  }

  #change(frameworkId: string, resources: Resources, sign: 1 | -1): void {
    for (const { name, type, scalar, allocation_info } of resources) {
      if (type !== 'SCALAR' || allocation_info?.role === undefined) continue;
      const roles = entryOf(this.#units, frameworkId, () => new Map<string, Map<string, number>>());
      const units = entryOf(roles, allocation_info.role, () => new Map<string, number>());
      const count = (units.get(name) ?? 0) + sign * toUnits(scalar?.value ?? 0);
      if (count === 0) units.delete(name);
      else units.set(name, count);
      if (units.size === 0) roles.delete(allocation_info.role);
      if (roles.size === 0) this.#units.delete(frameworkId);
    }
  }
}

/** The value at `key`, made when there is none. */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
