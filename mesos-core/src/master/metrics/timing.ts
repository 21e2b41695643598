/** Of so many of the latest durations the distribution is told. */
const KEPT_MAX = 1000;

const PERCENTILES = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
  ['p999', 0.999],
  ['p9999', 0.9999],
] as const;

/** How long something took, each time: Mesos' `Timer` metric. */
export class Timing {
  readonly #latest: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  note(durationMs: number): void {
    this.#latest[this.#count % KEPT_MAX] = durationMs;
    this.#count += 1;
  }

  /** The metrics of that name, in milliseconds; none before the first time, as in Mesos. */
  figures(name: string): Readonly<Record<string, number>> {
    if (this.#count === 0) return {};
    const sorted = this.#latest.toSorted((a, b) => a - b);
    const figures: Record<string, number> = {
      [name]: this.#latest[(this.#count - 1) % KEPT_MAX] ?? 0,
      [`${name}/count`]: this.#count,
      [`${name}/max`]: sorted.at(-1) ?? 0,
      [`${name}/min`]: sorted[0] ?? 0,
    };
    for (const [label, part] of PERCENTILES) figures[`${name}/${label}`] = valueAt(sorted, part);
    return figures;
  }
}

/** Between the two values next to the rank, in proportion, as Mesos has it. */
function valueAt(sorted: readonly number[], part: number): number {
  const position = part * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? 0;
  return below + (above - below) * (position - Math.floor(position));
}
