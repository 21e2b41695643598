import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '@factory/runtime';
import { endLeftBehind, run } from './runner/processes.ts';
import { readReport } from './runner/report.ts';

/**
 * `./factory test`: every check and every test. All run even if one fails, and none longer than its
 * limit; the last line is `N passed, N failed`.
 */
const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
/** In minutes, several times what each needs on two cores: what comes to its limit hangs. */
const LIMITS = { check: 5, unit: 20, integration: 25, acceptance: 8, longAcceptance: 60 };
/** Acceptances that need no libvirt and time nothing closely: they run while guests boot. */
const BESIDE = [
  'addresses',
  'bad-input',
  'control-plane-killed',
  'failing-hosts',
  'several-servers',
  'zookeeper-failover',
];
/** In minutes, for all that is not a long acceptance. */
const WHOLE_LIMIT = 70;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { acceptance: { type: 'boolean' }, quick: { type: 'boolean' } },
});
const isWhole = positionals.length === 0;
const startedAtMs = systemClock.monotonicMs();
const total = { passed: 0, failed: 0 };
/** What failed, said again at the end: a log of thousands of lines is read from there. */
const failures: string[] = [];

if (isWhole) await runChecks();
await runTests('unit', LIMITS.unit);
if (values.quick !== true) {
  // They wait for daemons, guests and time-outs more than they compute, and share nothing.
  const acceptances = await acceptanceFiles();
  const isBeside = (file: string): boolean => BESIDE.includes(file.split('.')[0] ?? '');
  await Promise.all([
    runTests('hosts', LIMITS.integration),
    runTests('processes', LIMITS.integration).then(() => runAll(acceptances.filter(isBeside))),
  ]);
  await runAll(acceptances.filter((file) => !isBeside(file)));
}
await endLeftBehind(say);
if (total.passed + total.failed === 0) count(`tests with ${positionals.join(' or ')}`, false);
for (const failure of failures) say(`FAILED: ${failure}\n`);
say(`${total.passed} passed, ${total.failed} failed\n`);
// Nothing that is still open here may keep whoever waits for us.
process.exit(total.failed === 0 ? 0 : 1);

async function runChecks(): Promise<void> {
  const sources = ['contracts', 'runtime', 'libvirt', 'mesos-core', 'migrations', 'services'];
  const boundaries = ['--config', '.dependency-cruiser.cjs', ...sources, 'cli', 'test'];
  await check('types', 'tsc', ['--noEmit']);
  await check('lint and format', 'biome', ['check', '.']);
  await check('boundaries', 'depcruise', boundaries);
  await check('unused files, exports, dependencies', 'knip', []);
}

async function check(name: string, program: string, args: readonly string[]): Promise<void> {
  const options = { limitMs: limitMs(LIMITS.check), write: say };
  count(name, (await run(join(BIN, program), args, options)) === 0);
}

/** The tests of one of vitest's projects (vitest.config.ts). */
async function runTests(project: string, minutes: number): Promise<void> {
  await mkdir(join(ROOT, '.toolchain'), { recursive: true });
  const path = join(ROOT, `.toolchain/vitest-${project}.json`);
  // What is there afterwards is of this run, and stays to be looked at.
  await rm(path, { force: true });
  const live = process.stdout.isTTY ? 'dot' : 'minimal';
  const reporters = [`--reporter=${live}`, '--reporter=json', `--outputFile.json=${path}`];
  const args = ['run', '--project', project, '--passWithNoTests', ...reporters, ...positionals];
  const status = await run(join(BIN, 'vitest'), args, { limitMs: limitMs(minutes), write: say });
  const report = await readReport(path, ROOT);
  total.passed += report?.passed ?? 0;
  total.failed += report?.failed ?? 0;
  failures.push(...(report?.failures ?? []));
  // A run that broke down outside of any test has failed too.
  if (status !== 0 && (report?.failed ?? 0) === 0) count(`${project} tests`, false);
}

/** Each file in test/acceptance/ shows one promise on a real factory and prints its figure. */
async function acceptanceFiles(): Promise<readonly string[]> {
  const files = await readdir(join(ROOT, 'test/acceptance'));
  const isMeant = (file: string): boolean =>
    isWhole || positionals.some((filter) => `test/acceptance/${file}`.includes(filter));
  const isAsked = (file: string): boolean =>
    isMeant(file) && (!isLong(file) || values.acceptance === true);
  return files.filter((file) => file.endsWith('.acceptance.ts') && isAsked(file)).sort();
}

function isLong(file: string): boolean {
  return file.endsWith('.long.acceptance.ts');
}

async function runAll(acceptances: readonly string[]): Promise<void> {
  const env = { FACTORY_ACCEPTANCE_STRICT: values.acceptance === true ? '1' : '0' };
  for (const file of acceptances) {
    const lines: string[] = [`\nacceptance: ${file}\n`];
    const node = ['--disable-warning=ExperimentalWarning', join(ROOT, 'test/acceptance', file)];
    const minutes = isLong(file) ? LIMITS.longAcceptance : LIMITS.acceptance;
    // Told as one piece: another part of the run may speak meanwhile.
    const write = (text: string): void => void lines.push(text);
    const code = await run(process.execPath, node, { limitMs: limitMs(minutes), env, write });
    say(lines.join(''));
    count(file, code === 0);
  }
}

/** What is left of the limit of the whole, but no more than `minutes`. */
function limitMs(minutes: number): number {
  if (values.acceptance === true) return minutes * 60_000;
  const leftMs = WHOLE_LIMIT * 60_000 - (systemClock.monotonicMs() - startedAtMs);
  return Math.max(0, Math.min(minutes * 60_000, leftMs));
}

function count(name: string, isPassed: boolean): void {
  const seconds = Math.round((systemClock.monotonicMs() - startedAtMs) / 1000);
  say(`${isPassed ? 'passed' : 'FAILED'}: ${name} (${seconds} s since the start)\n`);
  total[isPassed ? 'passed' : 'failed'] += 1;
  if (!isPassed) failures.push(name);
}

function say(text: string): void {
  process.stdout.write(text);
}
