import { type ClusterId, PROBLEMS } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import { isConnected } from '../clusters/connection.ts';
import type { ClusterRecord } from '../clusters/store.ts';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import { replicasFor } from './placement.ts';
import type { ImageService } from './service.ts';

/** A batch's wish ends when it is not repeated: the batch has its machines, or is gone. */
const BATCH_WISH_MS = 60 * 60_000;

/** Where copies of a version are wanted. */
export interface ReplicaWish {
  readonly version?: string;
  readonly clusters: readonly string[];
}

/** What is wanted where from now on. */
export interface Replicated {
  readonly name: string;
  readonly version: string;
  readonly clusters: readonly string[];
}

interface ReplicationParts {
  readonly store: Pick<ApiStore, 'clusters' | 'replicas'>;
  readonly images: ImageService;
  readonly clock: Clock;
}

/** Versions where they are needed: because batches wait for them there, or because somebody says so. */
export class Replication {
  readonly #parts: ReplicationParts;

  constructor(parts: ReplicationParts) {
    this.#parts = parts;
  }

  /** Wants what batches wait for where there is room for them; repeating it changes nothing. */
  async sweep(nowMs: number): Promise<void> {
    const { store } = this.#parts;
    const demands = await store.replicas.demands();
    if (demands.length === 0) return;
    const clusters = await store.clusters.list();
    const untilMs = nowMs + BATCH_WISH_MS;
    const wanted = demands.flatMap((demand) =>
      replicasFor(demand, clusters, nowMs).map((clusterId) => ({
        ...{ clusterId, imageId: demand.imageId, wantedBy: 'batch' as const, untilMs },
      })),
    );
    await store.replicas.put(wanted, nowMs);
  }

  /**
   * Wants the version (the newest by default) in these clusters, until that is taken back; `get` of
   * the image tells how it stands there. @throws ProblemError 404, 422
   */
  replicate(principal: Principal, name: string, wish: ReplicaWish): Promise<Replicated> {
    return this.#change(principal, name, wish, (imageId, clusterIds) => {
      const { store, clock } = this.#parts;
      const wanted = clusterIds.map((clusterId) => ({
        ...{ clusterId, imageId, wantedBy: 'user' as const, untilMs: null },
      }));
      return store.replicas.put(wanted, clock.nowMs());
    });
  }

  /** Takes that back. What is in the clusters by now stays there. @throws ProblemError 404, 422 */
  stopReplicating(principal: Principal, name: string, wish: ReplicaWish): Promise<Replicated> {
    return this.#change(principal, name, wish, (imageId, clusterIds) =>
      this.#parts.store.replicas.remove(imageId, clusterIds),
    );
  }

  async #change(
    { projectId }: Principal,
    name: string,
    { version: asked, clusters: names }: ReplicaWish,
    change: (
      imageId: Awaited<ReturnType<ImageService['version']>>['id'],
      at: readonly ClusterId[],
    ) => Promise<void>,
  ): Promise<Replicated> {
    const { store, images } = this.#parts;
    const { id, version } = await images.version(projectId, name, asked);
    const all = await store.clusters.list();
    const clusterIds = names.map((each) => idOf(each, all));
    await change(id, clusterIds);
    return { name, version: version ?? '', clusters: names };
  }
}

function idOf(name: string, clusters: readonly ClusterRecord[]): ClusterId {
  const found = clusters.find((each) => each.name === name);
  if (found !== undefined) return found.id;
  throw new ProblemError(PROBLEMS.invalidRequest, `There is no cluster ${name}.`, {
    field: 'clusters',
  });
}

/** Clusters that are heard of: homes are among these. Pure. */
export function heardOf(clusters: readonly ClusterRecord[], nowMs: number): readonly ClusterId[] {
  return clusters.flatMap(({ id, lastSeenAtMs }) => (isConnected(lastSeenAtMs, nowMs) ? [id] : []));
}
