import { METRICS_HISTORY, type VmId, type VmSample } from '@factory/contracts';

/** What is kept of each sample, in this order. */
const FIELDS = [
  'cpuPercent',
  'memoryMiB',
  'residentMiB',
  'diskReadBytes',
  'diskWriteBytes',
  'diskReads',
  'diskWrites',
  'netReceivedBytes',
  'netSentBytes',
  'netReceivedPackets',
  'netSentPackets',
] as const satisfies readonly Exclude<keyof VmSample, 'vmId' | 'atMs'>[];

/** A sample without its machine. */
type Point = Omit<VmSample, 'vmId'>;

/**
 * What the machines of this host used in the last hour, a point every ten seconds at most: 360 points
 * of 52 bytes for each machine, whatever the interval at which is looked. In memory alone: it begins
 * anew with each executor.
 */
export class MetricsHistory {
  readonly #rings = new Map<VmId, Ring>();

  /** Takes what was measured last; machines that are not kept here any more are forgotten. */
  add(samples: readonly VmSample[], isKept: (vmId: VmId) => boolean): void {
    for (const sample of samples) {
      const ring = this.#rings.get(sample.vmId) ?? new Ring();
      this.#rings.set(sample.vmId, ring);
      ring.add(sample);
    }
    for (const vmId of this.#rings.keys()) if (!isKept(vmId)) this.#rings.delete(vmId);
  }

  /** The points of a machine after this moment and within the last hour, oldest first. */
  of(vmId: VmId, sinceMs: number): readonly Point[] {
    return this.#rings.get(vmId)?.after(sinceMs) ?? [];
  }
}

/** The points of one machine; the oldest makes room. */
class Ring {
  readonly #times = new Float64Array(METRICS_HISTORY.pointsMax);
  readonly #values = new Float32Array(METRICS_HISTORY.pointsMax * FIELDS.length);
  #next = 0;
  #count = 0;

  add(sample: VmSample): void {
    // A second look within the same ten seconds takes the place of the first.
    if (this.#count > 0 && slotOf(this.#times[this.#at(-1)]) === slotOf(sample.atMs)) {
      this.#next = this.#at(-1);
      this.#count -= 1;
    }
    this.#times[this.#next] = sample.atMs;
    const from = this.#next * FIELDS.length;
    for (const [index, field] of FIELDS.entries()) this.#values[from + index] = sample[field];
    this.#next = (this.#next + 1) % METRICS_HISTORY.pointsMax;
    this.#count = Math.min(this.#count + 1, METRICS_HISTORY.pointsMax);
  }

  after(sinceMs: number): readonly Point[] {
    const newestMs = this.#times[this.#at(-1)] ?? 0;
    const fromMs = Math.max(sinceMs, newestMs - METRICS_HISTORY.spanMs);
    const places = Array.from({ length: this.#count }, (_, back) => this.#at(back - this.#count));
    return places.filter((at) => (this.#times[at] ?? 0) > fromMs).map((at) => this.#point(at));
  }

  #point(at: number): Point {
    const value = (index: number): number => rounded(this.#values[at * FIELDS.length + index] ?? 0);
    const values = FIELDS.map((field, index) => [field, value(index)] as const);
    // All fields are there: the compiler can't see it through the list of them.
    return { atMs: this.#times[at] ?? 0, ...(Object.fromEntries(values) as Omit<Point, 'atMs'>) };
  }

  /** The place so far from the next one; -1 is the newest. */
  #at(offset: number): number {
    const { pointsMax } = METRICS_HISTORY;
    return (this.#next + offset + pointsMax) % pointsMax;
  }
}

function slotOf(atMs: number | undefined): number {
  return Math.floor((atMs ?? 0) / METRICS_HISTORY.slotMs);
}

/** A tenth is more than anybody reads off a curve. */
function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
