import { join } from 'node:path';
import { type ImageManifest, parseImageManifest } from '@factory/contracts';
import type { StorageHelper } from '@factory/runtime';

/** One look at a file or folder on shared storage. */
const LOOK = { timeoutMs: 10_000 } as const;

/**
 * All versions of all images in a folder, `<name>/<version>.json`, by name and version; what can't
 * be understood is left out. A folder that does not exist yet has none. Manifests never change:
 * those in `known` are not read again.
 * @throws StorageHangsError, StorageError
 */
export async function readImages(
  helper: StorageHelper,
  folder: string,
  known: readonly ImageManifest[] = [],
): Promise<readonly ImageManifest[]> {
  const names = await helper.call('list', { path: folder }, LOOK);
  const visible = names.filter((name) => !name.startsWith('.'));
  const images = await Promise.all(
    visible.map((name) => {
      const knownOf = new Map(
        known.flatMap((each) => (each.name === name ? [[each.version, each]] : [])),
      );
      return readVersions(helper, folder, name, knownOf);
    }),
  );
  return images.flat().sort(byNameAndVersion);
}

async function readVersions(
  helper: StorageHelper,
  folder: string,
  name: string,
  known: ReadonlyMap<string, ImageManifest>,
): Promise<readonly ImageManifest[]> {
  const files = await helper.call('list', { path: join(folder, name) }, LOOK);
  const versions = files.flatMap((file) => /^([0-9a-f]{64})\.json$/.exec(file)?.[1] ?? []);
  const read = versions.map(async (version) => {
    const before = known.get(version);
    if (before !== undefined) return [before];
    const path = join(folder, name, `${version}.json`);
    const manifest = parseImageManifest((await helper.call('readText', { path }, LOOK)) ?? '');
    return manifest?.name === name && manifest.version === version ? [manifest] : [];
  });
  return (await Promise.all(read)).flat();
}

function byNameAndVersion(a: ImageManifest, b: ImageManifest): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.version < b.version ? -1 : 1;
}
