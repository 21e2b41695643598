/** A version of an image on this host. */
export interface Cached {
  readonly version: string;
  readonly sizeBytes: number;
  readonly lastUsedMs: number;
}

/**
 * Which of the images that nobody needs go, those used longest ago first, to free `neededBytes`;
 * undefined when all of them together would not do: then none goes.
 */
export function evictionsFor<T extends Cached>(
  free: readonly T[],
  neededBytes: number,
): readonly T[] | undefined {
  const evicted: T[] = [];
  let freedBytes = 0;
  for (const image of free.toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)) {
    if (freedBytes >= neededBytes) break;
    evicted.push(image);
    freedBytes += image.sizeBytes;
  }
  return freedBytes >= neededBytes ? evicted : undefined;
}
