import { isProjectImageFolder, type ProjectId, projectImageFolder } from '@factory/contracts';
import type { ClusterRecord } from '../clusters/store.ts';
import type { ImageVersionRecord } from './version.ts';

/** What machines are to be made from, fixed for good. */
export interface ChosenImage {
  /** Its folder on the clusters' storage: what specs call it. */
  readonly image: string;
  /** Null: the newest that the chosen cluster has (its own images, without a wish). */
  readonly imageVersion: string | null;
}

export type ImageChoice =
  | ({ readonly kind: 'chosen' } & ChosenImage)
  | { readonly kind: 'unknown' | 'unknownVersion' | 'ambiguous' };

/** `name` or `name@version`; a version may be cut short. */
export function parseImageWish(text: string): { name: string; version: string } {
  const [name = '', version = ''] = text.split('@', 2);
  return { name, version };
}

/**
 * Which version is meant: the project's own image of that name (brought by it, or made of its
 * machines), else a public one, else the clusters' own; without a version the newest that is ready.
 * Pure.
 */
export function chooseImage(
  projectId: ProjectId,
  wish: string,
  visible: readonly ImageVersionRecord[],
  clusters: readonly ClusterRecord[],
): ImageChoice {
  const { name, version } = parseImageWish(wish);
  const ready = visible.filter((each) => each.name === name && each.state === 'ready');
  const own = ready.filter((each) => each.projectId === projectId);
  // Made of a machine a moment ago, so that there is no record of it yet.
  const folder = projectImageFolder(projectId, name);
  const records = new Set(visible.map((each) => each.version));
  const fresh = newestIn(folder, clusters).filter((each) => !records.has(each));
  if (version === '' && fresh.length > 0) return only(folder, fresh.slice(0, 1));
  if (own.length > 0) {
    const choice = chooseVersion(own, version);
    if (choice.kind !== 'unknownVersion') return choice;
  }
  const made = chooseLocal(folder, version, clusters);
  if (made.kind !== 'unknown') return made;
  if (own.length > 0) return { kind: 'unknownVersion' };
  if (ready.length > 0) return chooseVersion(ready, version);
  return isProjectImageFolder(name) ? made : chooseLocal(name, version, clusters);
}

/** The newest version of a folder in each cluster. */
function newestIn(folder: string, clusters: readonly ClusterRecord[]): readonly string[] {
  return clusters.flatMap(({ capacity }) => capacity?.imageVersions?.[folder] ?? []);
}

/** What clusters have in this folder, whoever put it there. */
function chooseLocal(
  folder: string,
  version: string,
  clusters: readonly ClusterRecord[],
): ImageChoice {
  const local = clusters.flatMap(({ capacity }) =>
    capacity?.images.includes(folder) ? [capacity] : [],
  );
  if (local.length === 0) return { kind: 'unknown' };
  if (version === '') return { kind: 'chosen', image: folder, imageVersion: null };
  const versions = new Set(local.flatMap((each) => versionsIn(each, folder)));
  const meant = [...versions].filter((each) => each.startsWith(version));
  return only(folder, meant);
}

function chooseVersion(candidates: readonly ImageVersionRecord[], version: string): ImageChoice {
  const newestFirst = candidates.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  const folder = newestFirst[0]?.folder ?? '';
  const versions = newestFirst.flatMap((each) => each.version ?? []);
  if (version === '') return only(folder, versions.slice(0, 1));
  return only(
    folder,
    [...new Set(versions)].filter((each) => each.startsWith(version)),
  );
}

function only(image: string, versions: readonly string[]): ImageChoice {
  const [imageVersion] = versions;
  if (imageVersion === undefined) return { kind: 'unknownVersion' };
  return versions.length > 1 ? { kind: 'ambiguous' } : { kind: 'chosen', image, imageVersion };
}

/** What a cluster says of its images. */
interface ClusterImageNames {
  readonly images: readonly string[];
  readonly imageVersions?: Readonly<Record<string, string>>;
  readonly allImageVersions?: Readonly<Record<string, readonly string[]>>;
}

/** Whether a cluster can start machines from this. */
export function hasImage(has: ClusterImageNames, { image, imageVersion }: ChosenImage): boolean {
  if (imageVersion === null) return has.images.includes(image);
  return versionsIn(has, image).includes(imageVersion);
}

function versionsIn(
  { imageVersions, allImageVersions }: Omit<ClusterImageNames, 'images'>,
  image: string,
): readonly string[] {
  const newest = imageVersions?.[image];
  return allImageVersions?.[image] ?? (newest === undefined ? [] : [newest]);
}
