import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInside } from './open-inside.ts';
import { VirtualFiles } from './virtual-files.ts';

let directory: string;
let root: string;
let files: VirtualFiles;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'open-inside-')));
  root = join(directory, 'sandbox');
  await mkdir(join(root, 'sub'), { recursive: true });
  await mkdir(join(directory, 'outside'));
  for (const folder of [join(root, 'sub'), join(directory, 'outside')]) {
    await writeFile(join(folder, 'file'), folder);
  }
  files = new VirtualFiles(() => [{ path: '/run', real: root }]);
});

afterEach(() => rm(directory, { recursive: true }));

describe('a FIFO in a sandbox', () => {
  beforeEach(() => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
  });

  it('is refused at once, although nobody writes into it', async () => {
    const refusal = { status: 400, message: 'Not a regular file.' };
    await expect(files.read('/run/pipe', 0)).rejects.toMatchObject(refusal);
    await expect(files.stream('/run/pipe')).rejects.toMatchObject(refusal);
    await expect(files.list('/run/pipe')).rejects.toMatchObject({ status: 400 });
    expect((await files.list('/run')).map(({ path }) => path)).toEqual(['/run/pipe', '/run/sub']);
  });

  it('that takes the place of a file while it is opened does not hold anything up', async () => {
    const path = join(root, 'sub', 'file');
    const other = join(root, 'aside');
    const swapped = swapAgainAndAgain(path, join(root, 'pipe'), other);
    for (let round = 0; round < 200; round += 1) {
      const handle = await openInside(root, path, 'file').catch(refused);
      await handle?.close();
    }
    await swapped.stop();
  });
});

describe('a link that is swapped in after a path was looked at', () => {
  it('is not followed when it takes the place of the file', async () => {
    const path = join(root, 'sub', 'file');
    await rm(path);
    await symlink(join(directory, 'outside', 'file'), path);
    await expect(openInside(root, path, 'file')).rejects.toMatchObject({ status: 400 });
  });

  it('leads nowhere when it takes the place of a folder on the way', async () => {
    await rm(join(root, 'sub'), { recursive: true });
    await symlink(join(directory, 'outside'), join(root, 'sub'));
    const refusal = { status: 400, message: 'Resolved path is inaccessible' };
    await expect(openInside(root, join(root, 'sub', 'file'), 'file')).rejects.toMatchObject(
      refusal,
    );
    await expect(openInside(root, join(root, 'sub'), 'folder')).rejects.toMatchObject({
      status: 400,
    });
  });

  it('never shows what lies outside, however often it is swapped', async () => {
    const link = join(directory, 'link');
    await symlink(join(directory, 'outside'), link);
    const swapped = swapAgainAndAgain(join(root, 'sub'), link, join(directory, 'aside'));
    for (let round = 0; round < 300; round += 1) {
      const part = await files.read('/run/sub/file', 0).catch(refused);
      if (part !== undefined) expect(part.data.toString()).toBe(join(root, 'sub'));
    }
    await swapped.stop();
  });
});

/** Somebody who owns the sandbox: the two change places until they are told to stop. */
function swapAgainAndAgain(path: string, other: string, aside: string) {
  let isOver = false;
  const work = async (): Promise<void> => {
    while (!isOver) {
      await rename(path, aside);
      await rename(other, path);
      await rename(path, other);
      await rename(aside, path);
    }
  };
  const done = work();
  return {
    stop: async (): Promise<void> => {
      isOver = true;
      await done;
    },
  };
}

/** What is refused is no concern here; anything else is. */
function refused(error: unknown): undefined {
  expect(error).toMatchObject({ code: 'MESOS_ERR_HTTP' });
}
