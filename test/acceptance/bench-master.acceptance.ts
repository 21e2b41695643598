import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure } from '../support/acceptance.ts';

/** A master under load, at the smallest of the sizes that are promised: 1,000 agents, 10,000 tasks. */
const script = join(import.meta.dirname, '../bench/master.ts');
const { stdout } = await promisify(execFile)(process.execPath, [script, '--json']);
const figures: unknown = JSON.parse(stdout);
expectThat('the bench measured something', Array.isArray(figures) && figures.length > 5);
for (const each of Array.isArray(figures) ? figures : []) {
  const { what, value, unit, limit, isFloor } = Object(each);
  if (limit !== undefined) figure(what, value, unit, limit, isFloor === true ? 'least' : 'most');
}
