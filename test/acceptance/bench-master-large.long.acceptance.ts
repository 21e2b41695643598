import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure } from '../support/acceptance.ts';

/**
 * A master under load at the larger sizes: 5,000 agents with 50,000 tasks, where all limits hold; and
 * twice of that, where it goes on: its figures are told without limits.
 */
const script = join(import.meta.dirname, '../bench/master.ts');
for (const [agents, hasLimits] of [
  [5_000, true],
  [10_000, false],
] as const) {
  const options = ['--json', `--agents=${agents}`];
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...options]);
  const figures: unknown = JSON.parse(stdout);
  expectThat('the bench measured something', Array.isArray(figures) && figures.length > 5);
  for (const each of Array.isArray(figures) ? figures : []) {
    const { what, value, unit, limit, isFloor } = Object(each);
    const named = `${agents} agents: ${what}`;
    if (limit === undefined) continue;
    if (hasLimits) figure(named, value, unit, limit, isFloor === true ? 'least' : 'most');
    else console.log(`${named}: ${Number(value).toFixed(2)} ${unit}`);
  }
}
