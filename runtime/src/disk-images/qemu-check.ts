import type { StorageHelper } from '../shared-storage/storage-helper.ts';
import type { ImageRefusal } from './inspection.ts';

/** A check reads every table of a file; a hostile one may be made to take as long as it can. */
const LIMITS = { memoryBytesMax: 1024 ** 3, cpuSMax: 120, fileBytesMax: 0 } as const;
const TIMEOUT_MS = 10 * 60_000;

/** What QEMU finds wrong with a file. */
export interface CheckRefusal {
  readonly refusal: ImageRefusal;
  readonly message: string;
}

/**
 * QEMU's own check of a qcow2 file whose header was inspected before, in a helper, with limits of
 * the kernel's; undefined when the file is sound. It is told the format, and guesses nothing.
 * @throws StorageHangsError, StorageError
 */
export async function checkQcow2(
  helper: StorageHelper,
  path: string,
): Promise<CheckRefusal | undefined> {
  for (const verb of ['info', 'check']) {
    const args = [verb, '--output=json', '-f', 'qcow2', path];
    const request = { program: 'qemu-img', args, ...LIMITS };
    const ended = await helper.call('run', request, { timeoutMs: TIMEOUT_MS });
    if (ended.exitCode === null) {
      const message = `QEMU's check of it was stopped (${ended.signal}): it took too much.`;
      return { refusal: 'ABSURD_SIZE', message };
    }
    // 3: clusters that nothing uses; they cost room and harm nobody (qemu-img(1)).
    if (ended.exitCode !== 0 && !(verb === 'check' && ended.exitCode === 3)) {
      const words = ended.stderr.trim().split('\n').at(-1) ?? '';
      return {
        refusal: 'CORRUPT',
        message: `QEMU says: ${words || `${verb} failed`}`.slice(0, 500),
      };
    }
  }
  return undefined;
}
