const UNIT_NS: Readonly<Record<string, number>> = {
  weeks: 604_800e9,
  days: 86_400e9,
  hrs: 3600e9,
  mins: 60e9,
  secs: 1e9,
  ms: 1e6,
  us: 1e3,
  ns: 1,
};

/** A duration as Mesos prints it, in the largest unit that it fills: `5secs`, `1.5mins`, `2hrs`. */
export function formatDurationMs(durationMs: number): string {
  const nanoseconds = Math.round(durationMs * 1e6);
  const fits = Object.entries(UNIT_NS).find(([, sizeNs]) => Math.abs(nanoseconds) >= sizeNs);
  const [unit, sizeNs] = fits ?? ['ns', 1];
  return `${nanoseconds / sizeNs}${unit}`;
}

/** Milliseconds of a duration in Mesos' form (`10secs`, `1.5mins`); undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text.trim());
  const sizeNs = UNIT_NS[match?.[2] ?? ''];
  return sizeNs === undefined ? undefined : (Number(match?.[1]) * sizeNs) / 1e6;
}
