import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasErrorCode, readTextIfExists, syncToDisk, writeFileAtomic } from '../files.ts';

/**
 * What a storage helper does for its parent, by name: plain work on files, with parameters and
 * results that JSON can carry. This runs in the helper's process alone, which may hang in any of it
 * and is then killed: nothing here has a deadline, and whatever was begun can be begun again.
 */
export const operations = {
  /** Names in a folder; what is no folder, or not there, has none. */
  async list({ path }: { readonly path: string }): Promise<readonly string[]> {
    try {
      return await readdir(path);
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR')) return [];
      throw error;
    }
  },

  /** Size of a plain file in bytes; null when there is none. */
  async size({ path }: { readonly path: string }): Promise<number | null> {
    try {
      const found = await stat(path);
      return found.isFile() ? found.size : null;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return null;
      throw error;
    }
  },

  /** A small text file; null when there is none. */
  async readText({ path }: { readonly path: string }): Promise<string | null> {
    return (await readTextIfExists(path)) ?? null;
  },

  /** At most `lengthMax` bytes of a file from `offset` on, in base64. */
  async readBytes(part: ReadBytes): Promise<string> {
    const file = await open(part.path, 'r');
    try {
      const buffer = Buffer.alloc(part.lengthMax);
      const { bytesRead } = await file.read({ buffer, position: part.offset });
      return buffer.subarray(0, bytesRead).toString('base64');
    } finally {
      await file.close();
    }
  },

  /**
   * Puts bytes (base64) into a file at `offset`, which must not be beyond its end: no holes. The
   * same again changes nothing.
   */
  writeBytes,

  /** SHA-256 of a file that is on the disk as a whole by then; tells how far it is. */
  sum: sumFile,

  /** Replaces a text file as a whole; it is on the disk when this is done. */
  async writeText(file: { readonly path: string; readonly text: string }): Promise<null> {
    await writeFileAtomic(file.path, file.text, { mode: 0o644 });
    return null;
  },

  /** Writes a text file that is not there yet, synced; false when there is one. */
  createText: createTextFile,

  /** Makes an empty file of this many bytes, in place of one that is there; holes take no room. */
  async makeSparse(file: { readonly path: string; readonly sizeBytes: number }): Promise<null> {
    const handle = await open(file.path, 'w', 0o600);
    try {
      await handle.truncate(file.sizeBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return null;
  },

  /** A new file with the content of another, synced, readable by all; tells how far it is. */
  copy: copyFile,

  async rename({ from, to }: { readonly from: string; readonly to: string }): Promise<null> {
    await rename(from, to);
    await syncToDisk(dirname(to));
    return null;
  },

  async remove({ path }: { readonly path: string }): Promise<null> {
    await rm(path, { force: true });
    return null;
  },

  /** A folder with all that is in it, or a file. */
  async removeTree({ path }: { readonly path: string }): Promise<null> {
    await rm(path, { recursive: true, force: true });
    return null;
  },

  makeFolder,

  /** Runs a program to its end within limits of the kernel's (setrlimit(2)). */
  run: runProgram,
} as const;

async function createTextFile(file: {
  readonly path: string;
  readonly text: string;
}): Promise<boolean> {
  try {
    const handle = await open(file.path, 'wx', 0o644);
    try {
      await handle.writeFile(file.text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw error;
  }
  await syncToDisk(dirname(file.path));
  return true;
}

/** Not by Node's own recursion: on a read-only file system that says ENOENT instead of EROFS. */
async function makeFolder({ path }: { readonly path: string }): Promise<null> {
  try {
    await makeOneFolder(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT') || dirname(path) === path) throw error;
    await makeFolder({ path: dirname(path) });
    await makeOneFolder(path);
  }
  return null;
}

async function makeOneFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  });
}

interface ReadBytes {
  readonly path: string;
  readonly offset: number;
  readonly lengthMax: number;
}

/** How far a copy is. */
export interface CopyProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

interface CopyRequest {
  readonly from: string;
  /** Must not exist. */
  readonly to: string;
  readonly sizeBytesMax: number;
}

const COPY_CHUNK_BYTES = 1024 * 1024;
const PROGRESS_EVERY_BYTES = 8 * COPY_CHUNK_BYTES;
const ZEROS = Buffer.alloc(COPY_CHUNK_BYTES);

async function copyFile(
  { from, to, sizeBytesMax }: CopyRequest,
  onProgress: (progress: CopyProgress) => void,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const source = await open(from, 'r');
  try {
    const found = await source.stat();
    if (!found.isFile()) throw new Error(`${from} is not a plain file`);
    const target = await open(to, 'wx', 0o644);
    try {
      // The mode given to open() is cut by the umask.
      await target.chmod(0o644);
      const copied = await copyAll({ source, target, sizeBytesMax }, (doneBytes) =>
        onProgress({ doneBytes, totalBytes: found.size }),
      );
      await target.sync();
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

interface WriteBytes {
  readonly path: string;
  readonly offset: number;
  readonly base64: string;
}

/** @throws an error that says so, when the file ends before `offset`. */
async function writeBytes({ path, offset, base64 }: WriteBytes): Promise<number> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const { size } = await file.stat();
    if (size < offset) throw new Error(`${path} ends at ${size}, before ${offset}`);
    const bytes = Buffer.from(base64, 'base64');
    await file.write(bytes, 0, bytes.length, offset);
    return Math.max(size, offset + bytes.length);
  } finally {
    await file.close();
  }
}

async function sumFile(
  { path }: { readonly path: string },
  onProgress: (progress: CopyProgress) => void,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
    const { size: totalBytes } = await file.stat();
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(COPY_CHUNK_BYTES);
    let doneBytes = 0;
    for (;;) {
      const { bytesRead } = await file.read({ buffer, position: doneBytes });
      if (bytesRead === 0) return { sha256: hash.digest('hex'), sizeBytes: doneBytes };
      hash.update(buffer.subarray(0, bytesRead));
      doneBytes += bytesRead;
      if (doneBytes % PROGRESS_EVERY_BYTES === 0) onProgress({ doneBytes, totalBytes });
    }
  } finally {
    await file.close();
  }
}

async function copyAll(
  files: {
    readonly source: FileHandle;
    readonly target: FileHandle;
    readonly sizeBytesMax: number;
  },
  onProgress: (doneBytes: number) => void,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(COPY_CHUNK_BYTES);
  let doneBytes = 0;
  let toldBytes = 0;
  for (;;) {
    const { bytesRead } = await files.source.read({ buffer, position: doneBytes });
    if (bytesRead === 0) break;
    if (doneBytes + bytesRead > files.sizeBytesMax) {
      throw new Error(`the file is larger than ${files.sizeBytesMax} bytes`);
    }
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    // Holes stay holes: a raw image is mostly nothing.
    if (!chunk.equals(ZEROS.subarray(0, bytesRead))) {
      await files.target.write(chunk, 0, bytesRead, doneBytes);
    }
    doneBytes += bytesRead;
    if (doneBytes - toldBytes < PROGRESS_EVERY_BYTES) continue;
    toldBytes = doneBytes;
    onProgress(doneBytes);
  }
  await files.target.truncate(doneBytes);
  return { sha256: hash.digest('hex'), sizeBytes: doneBytes };
}

/** What a program may take; the kernel sees to it. */
interface RunRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly memoryBytesMax: number;
  readonly cpuSMax: number;
  /** The largest file that it may write; 0 for one that only looks. */
  readonly fileBytesMax: number;
}

/** How a program ended. */
export interface RunResult {
  /** Null when a signal ended it, as the kernel's when it took too much. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 1024 * 1024;

function runProgram(request: RunRequest): Promise<RunResult> {
  const limits = [
    `--as=${request.memoryBytesMax}`,
    `--cpu=${request.cpuSMax}`,
    `--fsize=${request.fileBytesMax}`,
    '--core=0',
  ];
  const child = spawn('prlimit', [...limits, '--', request.program, ...request.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' },
  });
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const output = { stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr') => (text: string) => {
    output[name] += text;
    if (output[name].length > OUTPUT_BYTES_MAX) child.kill('SIGKILL');
  };
  child.stdout.setEncoding('utf8').on('data', collect('stdout'));
  child.stderr.setEncoding('utf8').on('data', collect('stderr'));
  child.once('error', reject);
  child.once('close', (exitCode, signal) => resolve({ exitCode, signal, ...output }));
  return promise;
}
