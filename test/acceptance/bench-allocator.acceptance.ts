import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure } from '../support/acceptance.ts';

/** Cycles of the Mesos allocator at the sizes that are promised. */
const script = join(import.meta.dirname, '../bench/allocator.ts');
const { stdout } = await promisify(execFile)(process.execPath, [script, '--rounds', '3', '--json']);
const figures: unknown = JSON.parse(stdout);
expectThat('the bench measured every cycle', Array.isArray(figures) && figures.length === 7);
for (const each of Array.isArray(figures) ? figures : []) {
  const { what, value, unit, limit } = Object(each);
  figure(what, value, unit, limit);
}
