import type { ClusterIdentity, ClusterStore } from '../store.ts';
import { type LinkClient, newClusterKey } from './link-client.ts';

/**
 * Replaces the cluster's key; gives who it is from then on. The new key is kept before it is
 * offered, and the old one until the offer was answered: whenever this process dies, it has a key
 * that is taken, and goes on with the same offer when it is called again.
 * @throws when the api-server does not answer; the old key is good still.
 */
export async function rotateKey(parts: {
  readonly store: ClusterStore;
  readonly linkClient: Pick<LinkClient, 'rotate'>;
  readonly identity: ClusterIdentity;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}): Promise<ClusterIdentity> {
  const { store, linkClient, identity, nowMs, signal } = parts;
  const kept = await store.loadNextKey();
  const privateKey = kept ?? newClusterKey();
  if (kept === undefined) await store.saveNextKey(privateKey);
  await linkClient.rotate(identity, privateKey, signal);
  const next = { clusterId: identity.clusterId, privateKey };
  await store.saveIdentity(next, nowMs);
  return next;
}
