import { type FileHandle, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasErrorCode } from '@factory/runtime';
import { LaunchError } from '../containerizer.ts';
import type { Account } from './user-account.ts';

/**
 * Makes the sandbox of a container and its files `stdout` and `stderr`, all owned by its user, and
 * points `latest` at it where it is one of an executor's runs.
 * @throws LaunchError when that fails.
 */
export async function prepareSandbox(
  directory: string,
  account: Account | undefined,
): Promise<void> {
  try {
    await mkdir(dirname(directory), { recursive: true, mode: 0o755 });
    await makeDirectory(directory);
    if (account !== undefined) await chownOpened(directory, 'r', account);
    for (const name of ['stdout', 'stderr']) {
      await chownOpened(join(directory, name), 'a', account);
    }
    if (basename(dirname(directory)) === 'runs') await pointLatest(directory);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LaunchError(`can't make the sandbox ${directory}: ${why}`, { cause });
  }
}

async function pointLatest(directory: string): Promise<void> {
  const latest = join(dirname(directory), 'latest');
  // Two launches at a time must not find each other's link half done.
  const temporary = `${latest}.${basename(directory)}`;
  await rm(temporary, { force: true });
  await symlink(basename(directory), temporary);
  await rename(temporary, latest);
}

/** A launch that is made again after a crash finds its sandbox. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o750 });
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  }
}

async function chownOpened(
  path: string,
  flags: 'r' | 'a',
  account: Account | undefined,
): Promise<void> {
  const handle: FileHandle = await open(path, flags, 0o640);
  try {
    if (account !== undefined) await handle.chown(account.uid, account.gid);
  } finally {
    await handle.close();
  }
}
