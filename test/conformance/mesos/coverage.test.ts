import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { messageNames } from '../../../mesos-core/src/protocol/index.ts';
import { isUnion, loadSchema } from '../../../mesos-core/src/protocol/schema.ts';
import { COVERED_MESSAGES, coverageOf } from './support/coverage.ts';

/** What a message of a newer Mesos is taken for. */
const UNKNOWN = 'UNKNOWN';

const root = loadSchema();
const unions = [...messageNames]
  .filter((name) => !name.startsWith('google.'))
  .filter((name) => isUnion(root.lookupType(`mesos.v1.${name}`)));

/** The values of the `Type` of a message, from the .proto files. */
function typesOf(message: string): readonly string[] {
  const { values } = root.lookupType(`mesos.v1.${message}`).lookupEnum('Type');
  return Object.keys(values).filter((name) => name !== UNKNOWN);
}

describe('the table of coverage', () => {
  it('has all messages of Mesos that are told apart by a type', () => {
    expect(COVERED_MESSAGES).toEqual(expect.arrayContaining(unions));
  });

  it.each(COVERED_MESSAGES)('says of each type of %s where it is exercised', (message) => {
    expect([...coverageOf(message).keys()].sort()).toEqual([...typesOf(message)].sort());
  });

  it('names files that prove it when they run', () => {
    const rows = COVERED_MESSAGES.flatMap((message) => [...coverageOf(message).values()]);
    const files = new Set(rows.flatMap((row) => (row.how === 'never' ? [] : [row.file])));
    const idle = [...files].filter((file) => {
      const path = join(import.meta.dirname, `${file}.test.ts`);
      if (!existsSync(path)) return true;
      return !readFileSync(path, 'utf8').includes('\nproveCoverage(import.meta.url);');
    });
    expect(idle).toEqual([]);
  });
});
