import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileSandboxes, type FileSandboxesOptions } from './file-sandboxes.ts';
import type { Sandboxes } from './sandboxes.ts';

let workDir: string;
let sandboxes: Sandboxes | undefined;

beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'sandboxes-'));
});

afterEach(async () => {
  sandboxes?.close();
  await rm(workDir, { recursive: true, force: true });
});

function sandboxesWith(changes: Partial<FileSandboxesOptions>): Sandboxes {
  sandboxes = createFileSandboxes({
    ...{ clock: systemClock, logger: silentLogger, workDir },
    ...{ delayMs: 3_600_000, diskHeadroom: 0, watchIntervalMs: 20 },
    ...{ logLimits: undefined, logIntervalMs: 20 },
    ...changes,
  });
  return sandboxes;
}

async function makeRun(framework: string, run: string): Promise<string> {
  const runs = join(workDir, 'slaves', 'a', 'frameworks', framework, 'executors', 'e', 'runs');
  await mkdir(join(runs, run), { recursive: true });
  await rm(join(runs, 'latest'), { force: true });
  await symlink(run, join(runs, 'latest'));
  return join(runs, run);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await waitFor(systemClock, 'care for the sandboxes', 10_000, async () =>
    (await condition()) ? true : undefined,
  );
}

describe('sandboxes', () => {
  it('are removed when they are old, with the folders that they leave empty', async () => {
    const live = await makeRun('kept', 'live');
    await writeFile(join(live, 'data'), 'data');
    await makeRun('gone', 'from-an-earlier-life');
    const over = await makeRun('kept', 'over');
    const care = sandboxesWith({ delayMs: 0 });
    await care.start(() => [live, over]);
    care.retire(over);
    const frameworks = join(workDir, 'slaves', 'a', 'frameworks');
    await until(async () => (await readdir(frameworks)).length === 1);
    await until(async () => !(await readdir(join(live, '..'))).includes('over'));
    expect(await readdir(frameworks)).toEqual(['kept']);
    expect(await readFile(join(live, 'data'), 'utf8')).toBe('data');
  });

  it.each([
    'a',
    'a/frameworks',
    'a/frameworks/f',
    'a/frameworks/f/executors',
    'a/frameworks/f/executors/e',
    'a/frameworks/f/executors/e/runs',
  ])('leave no folder behind when an agent died while it removed %s', async (left) => {
    await mkdir(join(workDir, 'slaves', left), { recursive: true });
    await sandboxesWith({}).start(() => []);
    expect(await readdir(join(workDir, 'slaves'))).toEqual([]);
  });

  it('that are about to be made keep the folders which are there already', async () => {
    const frameworks = join(workDir, 'slaves', 'a', 'frameworks');
    await mkdir(join(frameworks, 'f', 'executors'), { recursive: true });
    await mkdir(join(frameworks, 'g', 'executors'), { recursive: true });
    await sandboxesWith({}).start(() => [join(frameworks, 'f', 'executors', 'e', 'runs', 'new')]);
    expect(await readdir(frameworks)).toEqual(['f']);
    expect(await readdir(join(frameworks, 'f'))).toEqual(['executors']);
  });

  it('stay while they are young', async () => {
    const young = await makeRun('f', 'young');
    const old = await makeRun('g', 'old');
    await utimes(old, 0, 0);
    // However full this machine's disk is: half of ten years is left to a sandbox.
    const care = sandboxesWith({ delayMs: 10 * 365 * 86_400_000, diskHeadroom: -1 });
    await care.start(() => []);
    await until(async () => !(await readdir(join(workDir, 'slaves/a/frameworks'))).includes('g'));
    expect(await readdir(join(young, '..'))).toContain('young');
  });

  it('have output files that are rotated when they are too large', async () => {
    const run = await makeRun('f', 'r');
    const stdout = join(run, 'stdout');
    await writeFile(stdout, 'a'.repeat(101));
    await writeFile(join(run, 'stderr'), 'a'.repeat(100));
    const logLimits = { stdoutBytesMax: 100, stderrBytesMax: 100, oldFilesMax: 2 };
    await sandboxesWith({ logLimits }).start(() => [run]);
    for (const letter of ['b', 'c']) {
      await until(async () => (await readFile(stdout, 'utf8')) === '');
      await writeFile(stdout, letter.repeat(101));
    }
    await until(async () => (await readFile(stdout, 'utf8')) === '');
    expect((await readdir(run)).toSorted()).toEqual(['stderr', 'stdout', 'stdout.1', 'stdout.2']);
    expect(await readFile(`${stdout}.1`, 'utf8')).toBe('c'.repeat(101));
    expect(await readFile(`${stdout}.2`, 'utf8')).toBe('b'.repeat(101));
  });

  it("lead from a task's name to its folder", async () => {
    const run = await makeRun('f', 'r');
    const care = sandboxesWith({});
    await care.linkTask(run, 'task-1', 'container-1');
    await care.linkTask(run, 'task-1', 'container-2');
    expect(await readlink(join(run, 'tasks', 'task-1'))).toBe('../containers/container-2');
  });
});
