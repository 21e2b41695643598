import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const COPY_BYTES = 256 * 1024;

/** Bounds of the output files of a container. */
export interface LogLimits {
  readonly stdoutBytesMax: number;
  readonly stderrBytesMax: number;
  /** `stdout.1` to `stdout.<n>` are kept. */
  readonly oldFilesMax: number;
}

/**
 * Rotates `stdout` and `stderr` in a sandbox where they are too large, as logrotate's `copytruncate`
 * does, which Mesos' LogrotateContainerLogger does by a process for each container: containers write
 * at the end of the file (O_APPEND), so that they need not know. What is written between the copy and
 * the cut is lost.
 */
export async function rotateLogs(directory: string, limits: LogLimits): Promise<void> {
  const { stdoutBytesMax, stderrBytesMax, oldFilesMax } = limits;
  await rotateFile(join(directory, 'stdout'), stdoutBytesMax, oldFilesMax);
  await rotateFile(join(directory, 'stderr'), stderrBytesMax, oldFilesMax);
}

async function rotateFile(path: string, bytesMax: number, oldFilesMax: number): Promise<void> {
  const before = await lstat(path).catch(() => undefined);
  if (before === undefined || !before.isFile() || before.size <= bytesMax) return;
  // The folder is the task's: it may put a link there at any moment.
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    if (oldFilesMax > 0) await keepCopy(file, path, oldFilesMax);
    await file.truncate(0);
  } finally {
    await file.close();
  }
}

async function keepCopy(file: FileHandle, path: string, oldFilesMax: number): Promise<void> {
  for (let number = oldFilesMax - 1; number >= 1; number -= 1) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(() => undefined);
  }
  await rm(`${path}.1`, { force: true });
  const { uid, gid } = await file.stat();
  const copy = await open(`${path}.1`, 'wx', 0o640);
  try {
    await copy.chown(uid, gid);
    const buffer = Buffer.alloc(COPY_BYTES);
    for (let position = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      await copy.write(buffer, 0, bytesRead);
      position += bytesRead;
    }
  } finally {
    await copy.close();
  }
}
