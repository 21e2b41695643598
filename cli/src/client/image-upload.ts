import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type Clock, HttpTransportError, RemoteProblemError, sleep } from '@factory/runtime';
import { type ImageClient, PART_BYTES } from './image-client.ts';

/** A part that was lost on its way is sent again this often. */
const ATTEMPTS_MAX = 10;
const RETRY_MS = 1_000;

/**
 * Uploads a file part by part, from where an upload before has broken off, and says that it is
 * complete. Holds one part in memory.
 * @throws RemoteProblemError when it is refused; HttpTransportError when nobody answers for long.
 */
export async function uploadImage(
  client: ImageClient,
  clock: Clock,
  upload: { readonly id: string; readonly path: string },
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<void> {
  const file = await open(upload.path, 'r');
  try {
    const { size } = await file.stat();
    const from = await client.offset(upload.id);
    const hash = createHash('sha256');
    for (let offset = 0; offset < size; ) {
      const bytes = await readPart(file, offset, Math.min(PART_BYTES, size - offset));
      hash.update(bytes);
      offset += bytes.length;
      if (offset > from) {
        await insist(clock, () => client.put(upload.id, offset - bytes.length, bytes));
      }
      onProgress(offset, size);
    }
    const sha256 = hash.digest('hex');
    await insist(clock, () => client.complete(upload.id, sha256));
  } finally {
    await file.close();
  }
}

async function readPart(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position });
  if (bytesRead === 0) throw new Error('the file became shorter while it was read');
  return buffer.subarray(0, bytesRead);
}

/** Everything here may be said twice. */
async function insist<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isAway =
        error instanceof HttpTransportError ||
        (error instanceof RemoteProblemError && (error.status >= 500 || error.status === 429));
      if (!isAway || attempt === ATTEMPTS_MAX) throw error;
      await sleep(clock, RETRY_MS * attempt);
    }
  }
}
