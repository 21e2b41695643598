import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { COVERED_MESSAGES, coverageOf } from './coverage.ts';
import { IS_FOREIGN } from './target.ts';
import { wasNoted } from './traffic.ts';
import { ENCODINGS } from './wire.ts';

/**
 * The last test of a file: what the table says is exercised there has gone over the wire, in both
 * encodings. (Alone, or after only some of the others, it fails: it looks at what they did.)
 * @param url of the file: `import.meta.url`.
 */
export function proveCoverage(url: string): void {
  const own = basename(url, '.test.ts');
  it('has exercised in JSON and in protobuf what the table of coverage says of this file', () => {
    const missing: string[] = [];
    for (const message of COVERED_MESSAGES) {
      for (const [type, row] of coverageOf(message)) {
        if (row.how === 'never' || row.file !== own) continue;
        const isTaken = row.how === 'taken';
        if (row.how === 'taken' && row.isOwnOnly && IS_FOREIGN) continue;
        const left = ENCODINGS.filter((each) => !wasNoted(each, message, type, isTaken));
        missing.push(...left.map((encoding) => `${message} ${type} in ${encoding}`));
      }
    }
    expect(missing).toEqual([]);
  });
}
