import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { MesosHttpError } from '../http/mesos-http.ts';

/** What is opened: a regular file, or a folder. */
export type OpenedKind = 'file' | 'folder';

/**
 * Opens what lies at `path` for reading, when it is inside of `root`. Whoever owns the files may swap
 * a link in, or a FIFO, after the path was looked at; so what counts is where the opened file itself
 * lies, and opening never waits for somebody to write.
 * @param root without links in it.
 * @param path without links in it when it was looked at.
 * @throws MesosHttpError 404 when it is gone, 400 when it lies outside or is of another kind.
 */
export async function openInside(
  root: string,
  path: string,
  kind: OpenedKind,
): Promise<FileHandle> {
  // A device must not even be opened: for some of them that alone does something.
  checkKind(await lstat(path).catch(notFound), kind);
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch(notFound);
  try {
    checkKind(await handle.stat(), kind);
    const real = await readlink(`/proc/self/fd/${handle.fd}`);
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new MesosHttpError(400, 'Resolved path is inaccessible');
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function checkKind(stats: Stats, kind: OpenedKind): void {
  if (kind === 'folder') {
    if (!stats.isDirectory()) throw new MesosHttpError(400, 'Not a directory.');
  } else if (stats.isDirectory()) {
    throw new MesosHttpError(400, 'Cannot read a directory.');
  } else if (!stats.isFile()) {
    throw new MesosHttpError(400, 'Not a regular file.');
  }
}

function notFound(): never {
  throw new MesosHttpError(404, '');
}
