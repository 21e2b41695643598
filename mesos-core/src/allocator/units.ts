import { fromUnits, type Quantities, type Resources, toUnits } from '../protocol/index.ts';

/**
 * Amounts of scalars in thousandths, at the indices that {@link ScalarNames} gives their names: sums
 * of these are exact, and quick.
 */
export type Units = readonly number[];

/** Gives each scalar's name its index, for as long as the allocator lives. */
export class ScalarNames {
  readonly #indexOf = new Map<string, number>();
  readonly #names: string[] = [];

  /** How many there are. */
  get count(): number {
    return this.#names.length;
  }

  indexOf(name: string): number {
    const known = this.#indexOf.get(name);
    if (known !== undefined) return known;
    const index = this.#names.push(name) - 1;
    this.#indexOf.set(name, index);
    return index;
  }

  /** Of quantities; those that are not named are 0. */
  unitsOf(quantities: Quantities): number[] {
    return this.#filled(0, quantities);
  }

  /** Of limits; those that are not named are infinite. */
  limitsOf(quantities: Quantities): number[] {
    return this.#filled(Number.POSITIVE_INFINITY, quantities);
  }

  /** All scalars among the resources, each entry counted. */
  sumOf(resources: Resources): number[] {
    const units: number[] = [];
    for (const { name, type, scalar } of resources) {
      if (type !== 'SCALAR') continue;
      const index = this.indexOf(name);
      while (units.length <= index) units.push(0);
      units[index] = (units[index] ?? 0) + toUnits(scalar?.value ?? 0);
    }
    return units;
  }

  /** The other way round; what there is none of is left out. */
  quantitiesOf(units: Units): Quantities {
    const entries = units.flatMap((count, index) => {
      const name = this.#names[index];
      return count === 0 || name === undefined ? [] : [[name, fromUnits(count)] as const];
    });
    return Object.fromEntries(entries);
  }

  #filled(missing: number, quantities: Quantities): number[] {
    const units: number[] = [];
    for (const [name, amount] of Object.entries(quantities)) {
      const index = this.indexOf(name);
      while (units.length <= index) units.push(missing);
      units[index] = toUnits(amount);
    }
    return units;
  }
}

/** Adds `by`, `factor` times, to `sum`, in place. */
export function addUnits(sum: number[], by: Units, factor: 1 | -1): void {
  for (let index = 0; index < by.length; index += 1) {
    sum[index] = (sum[index] ?? 0) + factor * (by[index] ?? 0);
  }
}

/** Whether any is more than 0. */
export function isAnyPositive(units: Units): boolean {
  for (const count of units) if (count > 0) return true;
  return false;
}
