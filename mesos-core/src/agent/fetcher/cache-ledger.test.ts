import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addEntry,
  beginRead,
  type CacheLedger,
  emptyLedger,
  endRead,
  usedBytes,
} from './cache-ledger.ts';

function filled(capacityBytes: number, ...keys: readonly string[]): CacheLedger {
  return keys.reduce((ledger, key) => {
    const added = addEntry(ledger, key, 10);
    if (added === undefined) throw new Error(`${key} does not fit`);
    return endRead(added.ledger, key);
  }, emptyLedger(capacityBytes));
}

describe('the ledger of the fetcher cache', () => {
  it('lets the least recently used go first', () => {
    const ledger = beginRead(filled(30, 'a', 'b', 'c'), 'a') ?? emptyLedger(0);
    expect(addEntry(endRead(ledger, 'a'), 'd', 15)?.evicted).toEqual(['b', 'c']);
  });

  it('keeps what is being read, and refuses what does not fit beside it', () => {
    const ledger = beginRead(filled(30, 'a', 'b', 'c'), 'a') ?? emptyLedger(0);
    expect(addEntry(ledger, 'd', 20)?.evicted).toEqual(['b', 'c']);
    expect(addEntry(ledger, 'd', 21)).toBeUndefined();
    expect(addEntry(emptyLedger(30), 'd', 31)).toBeUndefined();
  });

  it('never takes more than its capacity, and never loses what is read', () => {
    const steps = fc.array(
      fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), sizeBytes: fc.nat(50) }),
    );
    fc.assert(
      fc.property(steps, fc.array(fc.boolean()), (files, ends) => {
        let ledger = emptyLedger(100);
        const reading = new Map<string, number>();
        files.forEach(({ key, sizeBytes }, index) => {
          const after = beginRead(ledger, key) ?? addEntry(ledger, key, sizeBytes)?.ledger;
          if (after === undefined) return;
          ledger = after;
          reading.set(key, (reading.get(key) ?? 0) + 1);
          if (ends[index]) {
            ledger = endRead(ledger, key);
            reading.set(key, (reading.get(key) ?? 0) - 1);
          }
          expect(usedBytes(ledger)).toBeLessThanOrEqual(100);
          for (const [name, readers] of reading) {
            if (readers === 0) continue;
            expect(ledger.entries.find((entry) => entry.key === name)?.readers).toBe(readers);
          }
        });
      }),
    );
  });
});
