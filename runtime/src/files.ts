import { randomUUID } from 'node:crypto';
import { access, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Whether `error` is a system error with this code, such as `ENOENT`. */
export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** An error is not absence: only who says that there is no such file is believed. @throws the error */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Replaces the file at `path` by `data`, so that a reader (or a crash at any moment) sees either
 * the old content or the new, never a part. With `fsync` (the default) the new content is on the
 * disk when this resolves. New files get `mode` (default 0o600).
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode?: number; readonly fsync?: boolean } = {},
): Promise<void> {
  const { mode = 0o600, fsync = true } = options;
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      // The mode given to open() is cut by the umask.
      await file.chmod(mode);
      await file.writeFile(data);
      if (fsync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (fsync) await syncToDisk(directory);
}

/** Of {@link writeFileAtomic}. */
const TEMPORARY = /^\..+\.[0-9a-f]{8}-[0-9a-f-]{27}\.tmp$/;

/**
 * Removes what was being written to a folder by {@link writeFileAtomic} when its process was killed.
 * Only for who alone writes there. A folder that is not there is empty.
 */
export async function removeCutOffWrites(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR')) return [];
    throw error;
  });
  const left = names.filter((name) => TEMPORARY.test(name));
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
}

/**
 * What was written to the file, by whomever, or renamed in the folder, is on the disk when this
 * resolves: a rename is durable only when its folder is (fsync(2), notes).
 */
export async function syncToDisk(path: string): Promise<void> {
  const opened = await open(path, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** A JSON file exists but can't be read as JSON. */
export class BadJsonFileError extends Error {
  readonly code = 'FACTORY_ERR_BAD_JSON_FILE';
  readonly path: string;
  constructor(path: string, options?: ErrorOptions) {
    super(`${path} does not hold valid JSON; restore it or move it away`, options);
    this.name = 'BadJsonFileError';
    this.path = path;
  }
}

/**
 * The parsed content of a JSON file, `undefined` when there is no such file.
 * @throws BadJsonFileError when the content is not JSON.
 */
export async function readJsonIfExists(path: string): Promise<unknown> {
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BadJsonFileError(path, { cause });
  }
}

/** The content of a UTF-8 file, `undefined` when there is no such file. */
export async function readTextIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
