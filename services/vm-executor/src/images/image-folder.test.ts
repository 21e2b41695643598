import { StorageError, StorageHangsError, type StorageHelper } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { createImageFolder } from './image-folder.ts';

const VERSION = 'a'.repeat(64);

/** Storage on which every piece of work fails in the same way. */
function failing(error: Error): StorageHelper {
  return { call: () => Promise.reject(error), close: () => undefined };
}

describe('images on storage in trouble', () => {
  it.each([
    ['hangs', new StorageHangsError('list took over 10000 ms'), 'STORAGE_UNAVAILABLE'],
    ['is cut off', new StorageError('ENOTCONN', 'not connected'), 'STORAGE_UNAVAILABLE'],
    ['breaks', new StorageError('EIO', 'i/o error'), 'STORAGE_UNAVAILABLE'],
    ['is full', new StorageError('ENOSPC', 'no space left'), 'DISK_FULL'],
  ])('that %s are waited for, and never taken for missing', async (_what, error, reason) => {
    const folder = createImageFolder('/images', failing(error));
    for (const ref of [{ name: 'micro' }, { name: 'micro', version: VERSION }]) {
      await expect(folder.find(ref)).rejects.toMatchObject({ reason, isTransient: true });
    }
  });

  it('that is not mounted are not missing either', async () => {
    const unmounted: StorageHelper = {
      ...failing(new Error('not asked')),
      // An empty mount point: no names, no manifest.
      call: (async (name: string) => (name === 'list' ? [] : null)) as StorageHelper['call'],
    };
    const find = createImageFolder('/images', unmounted).find({ name: 'micro', version: VERSION });
    await expect(find).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE', isTransient: true });
  });
});
