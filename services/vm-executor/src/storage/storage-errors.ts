import type { VmReason } from '@factory/contracts';
import { VmFailure } from '../failures.ts';

/** What the system says, as a code or in the words of a tool, and what it means to a user. */
const MEANINGS: readonly { codes: readonly string[]; words: RegExp; reason: VmReason }[] = [
  { codes: ['ENOSPC', 'EDQUOT'], words: /no space left|quota exceeded/i, reason: 'DISK_FULL' },
  { codes: ['EROFS'], words: /read-only file system/i, reason: 'STORAGE_READONLY' },
  { codes: ['EIO'], words: /input\/output error/i, reason: 'IO_ERROR' },
  {
    // What a FUSE mount says whose server is gone, and helpers of one that says nothing at all.
    codes: [
      'FACTORY_ERR_STORAGE_HANGS',
      'FACTORY_ERR_STORAGE',
      'ENOTCONN',
      'ESTALE',
      'ETIMEDOUT',
      'EHOSTDOWN',
      'EHOSTUNREACH',
      'ECONNABORTED',
    ],
    words: /endpoint is not connected|stale file handle|timed out/i,
    reason: 'STORAGE_UNAVAILABLE',
  },
  {
    // QEMU's lock: a tool that an executor had started when it was killed is at work for a moment yet.
    codes: [],
    words: /failed to get (shared )?"\w+" lock/i,
    reason: 'STORAGE_UNAVAILABLE',
  },
];

/**
 * A trouble of the storage that passes when the storage is back; undefined for any other error.
 * `message` is shown to the user.
 */
export function passingStorageFailure(cause: unknown, message: string): VmFailure | undefined {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const words = cause instanceof Error ? cause.message : String(cause);
  const meaning = MEANINGS.find(
    (each) => (typeof code === 'string' && each.codes.includes(code)) || each.words.test(words),
  );
  if (meaning === undefined) return undefined;
  return new VmFailure(meaning.reason, message, { cause, isTransient: true });
}

/** @throws VmFailure with what the system's error means to a user. */
export async function orStorageFailure<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof VmFailure) throw cause;
    const message = `${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw (
      passingStorageFailure(cause, message) ??
      new VmFailure('STORAGE_UNAVAILABLE', message, { cause })
    );
  }
}
