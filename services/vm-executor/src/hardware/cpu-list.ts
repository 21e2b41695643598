/** The numbers of a list as Linux writes it, `0-3,8`; nothing for an empty one. */
export function parseCpuList(text: string): readonly number[] {
  const parts = text
    .trim()
    .split(',')
    .filter((part) => part !== '');
  return parts.flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Numbers as such a list: `0-3,8`. */
export function formatCpuList(cpus: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const cpu of [...new Set(cpus)].toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join();
}
