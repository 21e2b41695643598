import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, isQcow2, parseQcow2Header, QCOW2_HEADER_BYTES } from '@factory/runtime';

/** The longest name that a header may hold (QEMU: docs/interop/qcow2.txt). */
const NAME_BYTES_MAX = 1023;

/**
 * The files that qcow2 files below `folder` lie upon, as their headers name them: what must
 * not be removed. It asks the disks themselves, as a record may be lost, or speak of another time.
 * @throws when anything there can't be read: nobody knows then what it needs.
 */
export async function backingFilesBelow(folder: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const file of await entriesBelow(folder)) {
    if (!file.isFile()) continue;
    const backing = await backingFileOf(join(file.parentPath, file.name));
    if (backing !== undefined) found.add(backing);
  }
  return found;
}

/** What a file lies upon; undefined for one that stands alone, is no qcow2 file, or is gone. */
async function backingFileOf(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const start = await readPart(file, 0, QCOW2_HEADER_BYTES);
    if (!isQcow2(start)) return undefined;
    const header = parseQcow2Header(start);
    if (header === undefined) throw new Error(`${path} has a qcow2 header that is cut off`);
    if (header.backingNameOffset === 0) return undefined;
    const length = Math.min(header.backingNameLength, NAME_BYTES_MAX);
    return (await readPart(file, header.backingNameOffset, length)).toString('utf8');
  } finally {
    await file.close();
  }
}

async function readPart(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position });
  return buffer.subarray(0, bytesRead);
}

async function entriesBelow(folder: string) {
  return readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  });
}
