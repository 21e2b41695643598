import { crc32 } from 'node:zlib';
import type { Change } from './checkpoint-store.ts';

/**
 * One line of the journal: `<crc32 in 8 hex digits> <changes as JSON>\n`. JSON holds no line break,
 * so a line is whole exactly when its checksum is right. A removed key has no value: `["key"]`.
 */
export function encodeRecord(changes: readonly Change[]): string {
  const text = JSON.stringify(
    changes.map(([key, value]) => (value === undefined ? [key] : [key, value])),
  );
  return `${checksum(text)} ${text}\n`;
}

/** What {@link decodeJournal} found. */
export interface JournalContent {
  readonly values: Map<string, unknown>;
  /** Bytes up to the end of the last good record. */
  readonly goodBytes: number;
  /**
   * `torn`: the last record is damaged, as when the machine dies while it is written; it was never
   * acknowledged. `corrupt`: a damaged record has others behind it.
   */
  readonly damage: 'none' | 'torn' | 'corrupt';
}

/** Replays a journal up to its first damaged record. */
export function decodeJournal(bytes: Buffer): JournalContent {
  const values = new Map<string, unknown>();
  let offset = 0;
  while (offset < bytes.length) {
    const newline = bytes.indexOf(0x0a, offset);
    const changes = newline < 0 ? undefined : decodeRecord(bytes.toString('utf8', offset, newline));
    if (changes === undefined) {
      const isLast = newline < 0 || newline === bytes.length - 1;
      return { values, goodBytes: offset, damage: isLast ? 'torn' : 'corrupt' };
    }
    for (const [key, value] of changes) {
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    }
    offset = newline + 1;
  }
  return { values, goodBytes: offset, damage: 'none' };
}

function decodeRecord(line: string): readonly Change[] | undefined {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(text)) return undefined;
  return JSON.parse(text) as readonly Change[];
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
