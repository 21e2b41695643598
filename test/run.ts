import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * `./factory test`: every check and every test, one after the other. All run even if one fails; the
 * last line is `N passed, N failed`.
 */
const ROOT = join(import.meta.dirname, '..');
const REPORT = join(ROOT, '.toolchain/vitest-report.json');
const BIN = join(ROOT, 'node_modules/.bin');

interface Count {
  passed: number;
  failed: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { acceptance: { type: 'boolean' }, quick: { type: 'boolean' } },
});

const total: Count = { passed: 0, failed: 0 };
/** What failed, said again at the end: a log of thousands of lines is read from there. */
const failures: string[] = [];
if (positionals.length === 0) await runChecks();
await runTests();
if (positionals.length === 0 && values.quick !== true) await runAcceptance();
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function runChecks(): Promise<void> {
  const sources = [
    'contracts',
    'runtime',
    'libvirt',
    'mesos-core',
    'migrations',
    'services',
    'cli',
    'test',
  ];
  await check('types', 'tsc', ['--noEmit']);
  await check('lint and format', 'biome', ['check', '.']);
  await check('boundaries', 'depcruise', ['--config', '.dependency-cruiser.cjs', ...sources]);
  await check('unused files, exports, dependencies', 'knip', []);
}

async function check(name: string, program: string, args: readonly string[]): Promise<void> {
  const status = await run(join(BIN, program), args);
  count(name, status === 0);
}

async function runTests(): Promise<void> {
  await mkdir(join(ROOT, '.toolchain'), { recursive: true });
  const project = values.quick === true ? ['--project', 'unit'] : [];
  const live = process.stdout.isTTY ? 'dot' : 'minimal';
  const reporters = [`--reporter=${live}`, '--reporter=json', `--outputFile.json=${REPORT}`];
  const status = await run(join(BIN, 'vitest'), ['run', ...project, ...reporters, ...positionals]);
  const report: unknown = JSON.parse(await readFile(REPORT, 'utf8'));
  const { passed, failed } = countsOf(report);
  total.passed += passed;
  total.failed += failed;
  failures.push(...failedTestsOf(report));
  // A run that broke down outside of any test has failed too.
  if (status !== 0 && failed === 0) count('test run', false);
}

function countsOf(report: unknown): Count {
  const { numPassedTests, numFailedTests } = Object(report);
  if (!Number.isInteger(numPassedTests) || !Number.isInteger(numFailedTests)) {
    throw new Error(`${REPORT} is not a test report`);
  }
  return { passed: numPassedTests, failed: numFailedTests };
}

/** `file: full name: first line of why` of each test that failed. */
function failedTestsOf(report: unknown): readonly string[] {
  return asList(Object(report).testResults).flatMap((file) =>
    asList(Object(file).assertionResults)
      .map((test) => Object(test))
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => {
        const [why] = String(asList(failureMessages)[0] ?? '').split('\n');
        return `${relative(ROOT, String(Object(file).name))}: ${fullName}: ${why}`;
      }),
  );
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Each file in test/acceptance/ shows one promise on a real factory and prints its figure. */
async function runAcceptance(): Promise<void> {
  const directory = join(ROOT, 'test/acceptance');
  const files = (await readdir(directory)).filter((file) => file.endsWith('.acceptance.ts')).sort();
  for (const file of files) {
    const isLong = file.endsWith('.long.acceptance.ts');
    if (isLong && values.acceptance !== true) continue;
    console.log(`\nacceptance: ${file}`);
    const node = ['--disable-warning=ExperimentalWarning', join(directory, file)];
    const strict = values.acceptance === true ? '1' : '0';
    const env = { ...process.env, FACTORY_ACCEPTANCE_STRICT: strict };
    count(file, (await run(process.execPath, node, env)) === 0);
  }
}

function count(name: string, isPassed: boolean): void {
  console.log(`${isPassed ? 'passed' : 'FAILED'}: ${name}`);
  total[isPassed ? 'passed' : 'failed'] += 1;
  if (!isPassed) failures.push(name);
}

function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const colours = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
  const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env: { ...env, ...colours } });
  child.once('exit', (code) => resolve(code ?? 1));
  child.once('error', reject);
  return promise;
}
