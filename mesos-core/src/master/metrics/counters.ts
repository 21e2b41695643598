/** Figures that only grow (or go up and down by known steps), by name. */
export class Counters {
  readonly #values = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  entries(): Iterable<readonly [string, number]> {
    return this.#values;
  }
}
