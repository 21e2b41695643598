import { eachSharedOnce, fromUnits, type Resources, toUnits } from '../protocol/index.ts';

/**
 * Sums of scalars over all agents, kept up to date by difference: whoever reads the metrics every
 * few milliseconds would add up those of 5,000 agents each time, for 20 ms. Kinds are `cpus`, and
 * `cpus_revocable`; a shared resource counts once for an agent.
 */
export class AmountSums {
  readonly #unitsByKind = new Map<string, number>();

  /** An agent had `before`, and has `after` now. */
  replace(before: Resources, after: Resources): void {
    this.#add(before, -1);
    this.#add(after, 1);
  }

  /** 0 when there is nothing of the kind. */
  of(kind: string): number {
    return fromUnits(this.#unitsByKind.get(kind) ?? 0);
  }

  #add(resources: Resources, factor: 1 | -1): void {
    const hasShared = resources.some(({ shared }) => shared !== undefined);
    for (const { name, scalar, revocable } of hasShared ? eachSharedOnce(resources) : resources) {
      if (scalar === undefined) continue;
      const kind = revocable === undefined ? name : `${name}_revocable`;
      const before = this.#unitsByKind.get(kind) ?? 0;
      this.#unitsByKind.set(kind, before + factor * toUnits(scalar.value));
    }
  }
}
