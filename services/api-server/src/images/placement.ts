import { createHash } from 'node:crypto';
import type { ClusterId, ImageId } from '@factory/contracts';
import { isConnected } from '../clusters/connection.ts';
import type { ClusterRecord } from '../clusters/store.ts';
import type { ImageDemand, ReplicaReason, ReplicaRecord } from './replica-store.ts';
import type { ImageVersionRecord } from './version.ts';

/** Clusters that a private version is brought to before anybody asks for it there. */
const HOMES = 2;

/** Why a version is wanted in a cluster, the most urgent first. */
export type WantedBy = ReplicaReason | 'everybody' | 'home';
const URGENCY: readonly WantedBy[] = ['batch', 'user', 'everybody', 'home'];

/**
 * The clusters that a version is kept in by default: by rendezvous hashing, so that they stay the
 * same for a version, differ between versions, and change as little as can be when a cluster comes
 * or goes (Thaler and Ravishankar, 1998). Pure.
 */
export function homesOf(imageId: ImageId, clusterIds: readonly ClusterId[]): readonly ClusterId[] {
  const weightOf = (clusterId: ClusterId): string =>
    createHash('sha256').update(`${imageId} ${clusterId}`).digest('hex');
  return clusterIds
    .map((clusterId) => ({ clusterId, weight: weightOf(clusterId) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .slice(0, HOMES)
    .map(({ clusterId }) => clusterId);
}

/**
 * Why the version is wanted in the cluster, `undefined` when it is not. What was made of a machine
 * has its home where it was made. Pure.
 */
export function wantedAt(
  record: Pick<ImageVersionRecord, 'id' | 'visibility' | 'source'>,
  clusterId: ClusterId,
  world: { readonly heard: readonly ClusterId[]; readonly replicas: readonly ReplicaRecord[] },
): WantedBy | undefined {
  const { id, visibility, source } = record;
  const asked = world.replicas.find((each) => each.imageId === id && each.clusterId === clusterId);
  if (asked !== undefined) return asked.wantedBy;
  if (visibility === 'public') return 'everybody';
  if (source.kind === 'vm') return undefined;
  return homesOf(id, world.heard).includes(clusterId) ? 'home' : undefined;
}

/** For sorting: what is wanted most comes first. Pure. */
export function urgencyOf(wantedBy: WantedBy): number {
  return URGENCY.indexOf(wantedBy);
}

/**
 * Where to bring what batches wait for: beside the clusters that have it, as many of the roomiest as
 * have room for all that is asked. Pure.
 */
export function replicasFor(
  demand: ImageDemand,
  clusters: readonly ClusterRecord[],
  nowMs: number,
): readonly ClusterId[] {
  const open = clusters.flatMap(({ id, capacity, lastSeenAtMs }) =>
    capacity !== null && isConnected(lastSeenAtMs, nowMs) ? [{ id, capacity }] : [],
  );
  const freeOf = ({ capacity }: (typeof open)[number]): number =>
    Math.max(0, capacity.freeVcpus - capacity.promisedVcpus);
  const has = ({ capacity }: (typeof open)[number]): boolean =>
    (capacity.allImageVersions?.[demand.folder] ?? []).includes(demand.version) ||
    capacity.imageVersions?.[demand.folder] === demand.version;
  let missing = demand.vcpus - open.filter(has).reduce((sum, each) => sum + freeOf(each), 0);
  const chosen: ClusterId[] = [];
  const others = open.filter((each) => !has(each) && freeOf(each) > 0);
  for (const each of others.sort((a, b) => freeOf(b) - freeOf(a) || (a.id < b.id ? -1 : 1))) {
    if (missing <= 0) break;
    missing -= freeOf(each);
    chosen.push(each.id);
  }
  return chosen;
}
