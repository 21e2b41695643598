import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';

/** What a run of vitest tells in its JSON report. */
export interface Report {
  readonly passed: number;
  readonly failed: number;
  /** `file: full name: first line of why` of each test that failed. */
  readonly failures: readonly string[];
}

/** The report at `path`; undefined where the run has not come to write one. */
export async function readReport(path: string, root: string): Promise<Report | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const report: unknown = JSON.parse(text);
  const { numPassedTests, numFailedTests } = Object(report);
  if (!Number.isInteger(numPassedTests) || !Number.isInteger(numFailedTests)) {
    throw new Error(`${path} is not a test report`);
  }
  return { passed: numPassedTests, failed: numFailedTests, failures: failuresOf(report, root) };
}

function failuresOf(report: unknown, root: string): readonly string[] {
  return asList(Object(report).testResults).flatMap((file) =>
    asList(Object(file).assertionResults)
      .map((test) => Object(test))
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => {
        const [why] = String(asList(failureMessages)[0] ?? '').split('\n');
        return `${relative(root, String(Object(file).name))}: ${fullName}: ${why}`;
      }),
  );
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
