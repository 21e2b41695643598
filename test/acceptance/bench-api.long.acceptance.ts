import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure } from '../support/acceptance.ts';

/**
 * The control plane under load, at full size: `./factory bench api`. Its figures stand beside the
 * load of the machine when they were measured; limits are of an idle machine of two cores.
 */
const script = join(import.meta.dirname, '../bench/api.ts');
const options = { maxBuffer: 16 * 1024 * 1024 };
const { stdout } = await promisify(execFile)(process.execPath, [script, '--json'], options);
const figures: unknown = JSON.parse(stdout);
expectThat('the bench measured something', Array.isArray(figures) && figures.length > 10);
for (const each of Array.isArray(figures) ? figures : []) {
  const { what, value, unit, limit, isFloor, load } = Object(each);
  const named = `${what} (load ${Number(load).toFixed(1)})`;
  if (limit !== undefined) figure(named, value, unit, limit, isFloor === true ? 'least' : 'most');
  else console.log(`       ${named}: ${Number(value).toFixed(2)} ${unit}`);
}
