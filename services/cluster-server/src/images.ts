import { join } from 'node:path';
import { type ImageManifest, newestImage, parseImageManifest } from '@factory/contracts';
import type { StorageHelper } from '@factory/runtime';

/** One look at a file or folder on shared storage. */
const LOOK = { timeoutMs: 10_000 } as const;

/**
 * The newest version of each image in a folder, `<name>/<version>.json`, by name; what can't be
 * understood is left out. A folder that does not exist yet has none.
 * @throws StorageHangsError, StorageError
 */
export async function readNewestImages(
  helper: StorageHelper,
  folder: string,
): Promise<readonly ImageManifest[]> {
  const names = await helper.call('list', { path: folder }, LOOK);
  const images = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => readNewest(helper, folder, name)),
  );
  return images.filter((image) => image !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readNewest(
  helper: StorageHelper,
  folder: string,
  name: string,
): Promise<ImageManifest | undefined> {
  const files = await helper.call('list', { path: join(folder, name) }, LOOK);
  const manifests = files.filter((file) => file.endsWith('.json'));
  const read = manifests.map(async (file) => {
    const text = await helper.call('readText', { path: join(folder, name, file) }, LOOK);
    const manifest = parseImageManifest(text ?? '');
    return manifest?.name === name && file === `${manifest.version}.json` ? [manifest] : [];
  });
  return newestImage((await Promise.all(read)).flat());
}
