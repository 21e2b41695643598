/** What a cache holds, without the bytes themselves. Least recently used first. Immutable. */
export interface CacheLedger {
  readonly capacityBytes: number;
  readonly entries: readonly CacheEntry[];
}

/** One cached file. */
export interface CacheEntry {
  readonly key: string;
  readonly sizeBytes: number;
  /** Being copied out by so many fetches now: it must stay. */
  readonly readers: number;
}

/** An empty cache. */
export function emptyLedger(capacityBytes: number): CacheLedger {
  return { capacityBytes, entries: [] };
}

/** The bytes that all entries take. */
export function usedBytes(ledger: CacheLedger): number {
  return ledger.entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Begins to read an entry, which is the most recently used one then; `undefined`: it is not there. */
export function beginRead(ledger: CacheLedger, key: string): CacheLedger | undefined {
  const entry = ledger.entries.find((each) => each.key === key);
  if (entry === undefined) return undefined;
  const others = ledger.entries.filter((each) => each.key !== key);
  return { ...ledger, entries: [...others, { ...entry, readers: entry.readers + 1 }] };
}

/** Ends what {@link beginRead} began. */
export function endRead(ledger: CacheLedger, key: string): CacheLedger {
  const entries = ledger.entries.map((entry) =>
    entry.key === key ? { ...entry, readers: entry.readers - 1 } : entry,
  );
  return { ...ledger, entries };
}

/**
 * Adds a file with one reader, and says which entries have to go for it: least recently used ones
 * that nobody reads. `undefined` when it does not fit all the same.
 */
export function addEntry(
  ledger: CacheLedger,
  key: string,
  sizeBytes: number,
): { readonly ledger: CacheLedger; readonly evicted: readonly string[] } | undefined {
  let excessBytes = usedBytes(ledger) + sizeBytes - ledger.capacityBytes;
  const evicted: string[] = [];
  for (const entry of ledger.entries) {
    if (excessBytes <= 0) break;
    if (entry.readers > 0) continue;
    evicted.push(entry.key);
    excessBytes -= entry.sizeBytes;
  }
  if (excessBytes > 0) return undefined;
  const kept = ledger.entries.filter((entry) => !evicted.includes(entry.key));
  return { ledger: { ...ledger, entries: [...kept, { key, sizeBytes, readers: 1 }] }, evicted };
}
