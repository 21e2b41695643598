import { loadavg } from 'node:os';
import { systemClock } from '@factory/runtime';

/** What a bench has measured, with its limit. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit?: number;
  /** Whether the limit is the least allowed. */
  readonly isFloor?: boolean;
  /** Processes that wanted to run, a minute's mean, when it was measured. */
  readonly load: number;
}

/** Collects figures; prints each as it comes unless all are printed as JSON at the end. */
export class Figures {
  readonly #all: Figure[] = [];
  readonly #isJson: boolean;

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  note(figure: Omit<Figure, 'load'>): void {
    const load = loadavg()[0] ?? Number.NaN;
    this.#all.push({ ...figure, load });
    if (this.#isJson) return;
    const { what, value, unit, limit, isFloor = false } = figure;
    const isGood = limit === undefined || (isFloor ? value >= limit : value <= limit);
    const bound = limit === undefined ? '' : `, limit ${isFloor ? 'at least' : 'at most'} ${limit}`;
    const said = `${what}: ${value.toFixed(2)} ${unit}`;
    console.log(`${isGood ? 'ok  ' : 'OVER'} ${said} (load ${load.toFixed(1)}${bound})`);
  }

  /** Told between figures, to whoever watches. */
  say(text: string): void {
    if (!this.#isJson) console.log(`     ${text}`);
  }

  end(): void {
    if (this.#isJson) console.log(JSON.stringify(this.#all));
  }
}

/** The value below which this part of the values lies; `NaN` without values. Pure. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** What `work` gives, and the seconds that it took. */
export async function inSeconds<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seconds: number }> {
  const startedMs = systemClock.monotonicMs();
  const value = await work();
  return { value, seconds: (systemClock.monotonicMs() - startedMs) / 1000 };
}
