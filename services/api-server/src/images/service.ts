import {
  type ClusterId,
  ID_PREFIXES,
  type ImageId,
  imageNameOf,
  isProjectImageFolder,
  PROBLEMS,
  type ProjectId,
  projectImageFolder,
  type VmHardware,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { ClusterRecord } from '../clusters/store.ts';
import { requireAccess } from '../http/access.ts';
import type { Principal } from '../http/principal.ts';
import { quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import { type ChosenImage, chooseImage, parseImageWish } from './choose.ts';
import type { ImageFiles } from './files.ts';
import { hardwareOfImage } from './hardware.ts';
import { type ImageRequest, requireSource } from './request.ts';
import type { ClusterImages } from './store.ts';
import { type ImageVersionRecord, inState } from './version.ts';

/** Everything about an image that a project may see. */
export interface ImageView {
  readonly name: string;
  /** The clusters' own are for everybody, and come from their operators. */
  readonly origin: 'project' | 'cluster';
  /** Of its folder on the clusters' storage. */
  readonly folder: string;
  /** Newest first; none for the clusters' own. */
  readonly versions: readonly ImageVersionRecord[];
  readonly clusters: readonly ClusterImages[];
  /** Names of the clusters that can start machines from it. */
  readonly clusterNames: readonly string[];
}

export interface ImageServiceParts {
  readonly store: Pick<ApiStore, 'images' | 'clusters' | 'replicas'>;
  readonly files: ImageFiles;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  /** There is work for the worker. */
  readonly wake: () => void;
}

/** A wish that is not repeated ends: the cache makes room for what is used. */
const STAGE_MS = 24 * 60 * 60_000;

/** Where a version is wanted; by default on all hosts of all clusters. */
export interface StageWish {
  readonly version?: string;
  readonly clusters?: readonly string[];
  readonly hosts?: readonly string[];
}

/** What is wanted where from now on. */
export interface StagedImage {
  readonly name: string;
  readonly stages: { readonly cluster: string; readonly version: string }[];
}

/** What the image routes can do. */
export class ImageService {
  readonly #parts: ImageServiceParts;

  constructor(parts: ImageServiceParts) {
    this.#parts = parts;
  }

  /** All that the project may use, by name; its own before others' and the clusters'. */
  async list(projectId: ProjectId): Promise<readonly ImageView[]> {
    const { images, clusters } = this.#parts.store;
    const [visible, all, told] = await Promise.all([
      images.visibleTo(projectId),
      clusters.list(),
      images.clusterImages(),
    ]);
    const names = new Set(visible.map(({ name }) => name));
    const managed = [...names].map((name) => managedView(projectId, name, visible, told));
    const isForProject = (folder: string): boolean =>
      !isProjectImageFolder(folder) ||
      folder === projectImageFolder(projectId, imageNameOf(folder));
    const local = clusterFolders(all)
      .filter(({ folder }) => isForProject(folder) && !names.has(imageNameOf(folder)))
      .map(({ folder, clusterNames }) => localView(folder, clusterNames, told));
    return [...managed, ...local].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws ProblemError 404 */
  async get(projectId: ProjectId, name: string): Promise<ImageView> {
    const found = (await this.list(projectId)).find((each) => each.name === name);
    return found ?? throwNoImage(name);
  }

  /** The version fixed that `wish` (`name` or `name@version`) means now. @throws ProblemError 422 */
  async choose(projectId: ProjectId, wish: string): Promise<ChosenImage> {
    const { store } = this.#parts;
    const { name, version } = parseImageWish(wish);
    const visible = await store.images.visibleTo(projectId, name);
    const choice = chooseImage(projectId, wish, visible, await store.clusters.list());
    const field = 'image';
    switch (choice.kind) {
      case 'chosen':
        return { image: choice.image, imageVersion: choice.imageVersion };
      case 'ambiguous': {
        const detail = `More than one version of ${name} begins with ${version}; give more of it.`;
        throw new ProblemError(PROBLEMS.unknownImage, detail, { field });
      }
      case 'unknownVersion': {
        const detail = `The image ${name} has no version ${version}; see GET /v1/images/${name}.`;
        throw new ProblemError(PROBLEMS.unknownImage, detail, { field });
      }
      case 'unknown':
        throw await this.#unknown(projectId, name);
    }
  }

  /** What machines of this image need; nothing is known of images that nobody brought by the API. */
  async hardwareOf(
    projectId: ProjectId,
    { image, imageVersion }: ChosenImage,
  ): Promise<VmHardware> {
    const visible = await this.#parts.store.images.visibleTo(projectId, imageNameOf(image));
    const found = visible.find(
      (each) => each.folder === image && imageVersion !== null && each.version === imageVersion,
    );
    return found === undefined ? {} : hardwareOfImage(found.facts);
  }

  async #unknown(projectId: ProjectId, name: string): Promise<ProblemError> {
    const images = await this.list(projectId);
    const under = images.find((each) => each.name === name)?.versions[0];
    const known = images.length === 0 ? 'No cluster has any yet' : `Known are ${namesOf(images)}`;
    const detail =
      under === undefined
        ? `There is no image ${name}. ${known}.`
        : `No version of the image ${name} is ready; the newest is ${under.state}.`;
    return new ProblemError(PROBLEMS.unknownImage, detail, { field: 'image' });
  }

  /** Begins a version: its content comes by upload, or is fetched. @throws ProblemError */
  async create(principal: Principal, request: ImageRequest): Promise<ImageVersionRecord> {
    const { clock, newId, store, wake } = this.#parts;
    const nowMs = clock.nowMs();
    const source = requireSource(request);
    const { name, visibility = 'private', os, firmware, drivers, minMemoryMiB } = request;
    if (visibility === 'public') requireAccess(principal, 'operate', 'visibility');
    const { projectId } = principal;
    const record: ImageVersionRecord = {
      ...inState(source.kind === 'upload' ? 'uploading' : 'downloading', nowMs),
      ...{ id: newId(ID_PREFIXES.image) as ImageId, projectId, name, visibility, source },
      folder: projectImageFolder(projectId, name),
      message: null,
      facts: {
        ...{ os: os ?? 'linux', firmware: firmware ?? 'bios', drivers: drivers ?? 'virtio' },
        ...{ minMemoryMiB: minMemoryMiB ?? 1, minDiskGiB: request.minDiskGiB ?? 1 },
        ...(request.format === undefined ? {} : { format: request.format }),
        ...(request.readyMarker === undefined ? {} : { readyMarker: request.readyMarker }),
      },
      expectedSha256: request.source?.sha256 ?? request.sha256 ?? null,
      ...{ version: null, format: null, sizeBytes: 0, virtualSizeBytes: null },
      totalBytes: request.sizeBytes ?? null,
      ...{ createdAtMs: nowMs, copiedAtMs: null },
    };
    const result = await store.images.create(record);
    if (result.kind === 'overQuota') throw quotaExceeded(result.excess);
    if (result.kind === 'taken') {
      const detail = `Another project has a public image ${name}; use another name.`;
      throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
    }
    if (source.kind === 'url') wake();
    return record;
  }

  /**
   * Wants a version (the newest by default) on hosts before machines ask for it, for a day at most;
   * those that have it, or do not come to have it, are told of by `get`.
   * @throws ProblemError 404, 422
   */
  async stage(projectId: ProjectId, name: string, wish: StageWish): Promise<StagedImage> {
    const { store, clock } = this.#parts;
    const all = await store.clusters.list();
    const view = await this.get(projectId, name);
    const unknown = wish.clusters?.find((each) => !all.some((cluster) => cluster.name === each));
    if (unknown !== undefined) {
      const detail = `There is no cluster ${unknown}.`;
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'clusters' });
    }
    const meant = wish.version === undefined ? name : `${name}@${wish.version}`;
    const chosen = await this.choose(projectId, meant);
    const untilMs = clock.nowMs() + STAGE_MS;
    const places = all.filter((each) => wish.clusters?.includes(each.name) ?? true);
    const stages = places.flatMap(({ id: clusterId, name: cluster, capacity }) => {
      // An image of the clusters' own has its newest version in each.
      const version = chosen.imageVersion ?? newestAt(view, cluster);
      if (version === undefined || capacity === null) return [];
      const stage = { clusterId, name: chosen.image, version, untilMs };
      return [
        {
          cluster,
          stage: { ...stage, hostNames: wish.hosts === undefined ? null : [...wish.hosts] },
        },
      ];
    });
    await store.images.putStages(stages.map(({ stage }) => stage));
    return {
      name,
      stages: stages.map(({ cluster, stage }) => ({ cluster, version: stage.version })),
    };
  }

  /** Wants what was chosen in a cluster that lacks it, for a day; gives whether it can come there. */
  async bring(projectId: ProjectId, chosen: ChosenImage, clusterId: ClusterId): Promise<boolean> {
    const { store, clock } = this.#parts;
    const visible = await store.images.visibleTo(projectId, imageNameOf(chosen.image));
    const found = visible.find(
      ({ folder, version }) => folder === chosen.image && version === chosen.imageVersion,
    );
    if (found === undefined || chosen.imageVersion === null) return false;
    const nowMs = clock.nowMs();
    const wish = { clusterId, imageId: found.id, wantedBy: 'user' as const };
    await store.replicas.put([{ ...wish, untilMs: nowMs + STAGE_MS }], nowMs);
    return true;
  }

  /**
   * The version that is ready and begins with `version`, by default the newest: the project's own, or
   * a public one. @throws ProblemError 404, 422
   */
  async version(projectId: ProjectId, name: string, version?: string): Promise<ImageVersionRecord> {
    const { versions } = await this.get(projectId, name);
    const chosen = await this.choose(
      projectId,
      version === undefined ? name : `${name}@${version}`,
    );
    const found = versions.find((each) => each.version === chosen.imageVersion);
    if (found !== undefined) return found;
    const detail = `${name} is an image of the clusters' own: each has what its operator gave it.`;
    throw new ProblemError(PROBLEMS.unknownImage, detail, { field: 'name' });
  }

  /** A version of the project's own, whatever its state. @throws ProblemError 404 */
  async own(projectId: ProjectId, id: ImageId): Promise<ImageVersionRecord> {
    const found = await this.#parts.store.images.find(id);
    if (found?.projectId === projectId) return found;
    throw new ProblemError(PROBLEMS.notFound, `The project has no image version ${id}.`);
  }

  /**
   * Deletes all that is this version of the project's image, or the upload or download under way
   * with this id. @throws ProblemError 404, 409 while machines need it
   */
  async deleteVersion(projectId: ProjectId, name: string, version: string): Promise<void> {
    const { store, clock } = this.#parts;
    const all = await store.images.visibleTo(projectId, name);
    const mine = all.filter((each) => each.projectId === projectId && each.name === name);
    const meant = mine.filter((each) => each.id === version || each.version === version);
    const [first] = meant;
    if (first === undefined) {
      const detail = `The project's image ${name} has no version ${version}.`;
      throw new ProblemError(PROBLEMS.notFound, detail);
    }
    const uses = first.version === null ? 0 : await this.#uses(first.folder, first.version);
    if (uses > 0) {
      const detail = `${uses} machines or batches need this version; delete them first.`;
      throw new ProblemError(PROBLEMS.wrongState, detail);
    }
    for (const { id } of meant) {
      const patch = inState('deleting', clock.nowMs());
      const states = ['uploading', 'downloading', 'verifying', 'ready', 'failed'] as const;
      await store.images.update(id, states, patch);
    }
    this.#parts.wake();
  }

  #uses(folder: string, version: string): Promise<number> {
    return this.#parts.store.images.countUses(folder, version);
  }
}

function newestAt({ clusters }: ImageView, cluster: string): string | undefined {
  const told = clusters.find(({ clusterName }) => clusterName === cluster);
  return told?.images.find(({ state }) => state === 'ready')?.version;
}

function managedView(
  projectId: ProjectId,
  name: string,
  visible: readonly ImageVersionRecord[],
  told: readonly ClusterImages[],
): ImageView {
  const ofName = visible.filter((each) => each.name === name);
  const own = ofName.filter((each) => each.projectId === projectId);
  const versions = (own.length > 0 ? own : ofName).toSorted(
    (a, b) => b.createdAtMs - a.createdAtMs,
  );
  const folder = versions[0]?.folder ?? '';
  const clusters = ofFolder(told, folder);
  const isThere = ({ images }: ClusterImages) => images.some(({ state }) => state === 'ready');
  const at = clusters.filter(isThere).map(({ clusterName }) => clusterName);
  return { name, origin: 'project', folder, versions, clusters, clusterNames: at };
}

/** An image that only clusters have: their operators' own, or made of a machine of the project. */
function localView(
  folder: string,
  clusterNames: readonly string[],
  told: readonly ClusterImages[],
): ImageView {
  const origin = isProjectImageFolder(folder) ? 'project' : 'cluster';
  const clusters = ofFolder(told, folder);
  return { name: imageNameOf(folder), origin, folder, versions: [], clusters, clusterNames };
}

function ofFolder(told: readonly ClusterImages[], folder: string): readonly ClusterImages[] {
  return told
    .map((each) => ({ ...each, images: each.images.filter(({ name }) => name === folder) }))
    .filter(({ images }) => images.length > 0);
}

/** All that clusters have, and which have it. */
function clusterFolders(clusters: readonly ClusterRecord[]) {
  const byFolder = new Map<string, string[]>();
  for (const { name, capacity } of clusters) {
    for (const folder of capacity?.images ?? []) {
      byFolder.set(folder, [...(byFolder.get(folder) ?? []), name]);
    }
  }
  return Array.from(byFolder, ([folder, clusterNames]) => ({ folder, clusterNames }));
}

function namesOf(images: readonly ImageView[]): string {
  return images.map(({ name }) => imageNameOf(name)).join(', ');
}

function throwNoImage(name: string): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no image ${name}.`);
}
