import type { Knex } from 'knex';

/**
 * What the cluster-server must not forget. VMs and their wishes are durable at the vm-scheduler,
 * commands at the api-server until they are acknowledged; here are only the identity by which the
 * api-server knows this cluster, and how far its VMs' changes were reported.
 */
export interface ClusterStore {
  /** Its own key, made before it enrols: asking again with it gives an answer that was lost. */
  loadPrivateKey(): Promise<string | undefined>;
  /** PEM, as in {@link ClusterIdentity}. */
  savePrivateKey(privateKey: string): Promise<void>;
  loadIdentity(): Promise<ClusterIdentity | undefined>;
  /** Forgets the key that was to follow; `sinceMs`: since when it has this one. */
  saveIdentity(identity: ClusterIdentity, sinceMs?: number): Promise<void>;
  /** The key that is to follow the identity's, while that was not taken yet. */
  loadNextKey(): Promise<string | undefined>;
  saveNextKey(privateKey: string): Promise<void>;
  /** 0: not known. */
  loadKeySinceMs(): Promise<number>;
  /** The vm-scheduler's revision up to which the api-server has everything; 0 at first. */
  loadReportedRevision(): Promise<number>;
  saveReportedRevision(revision: number): Promise<void>;
}

export interface ClusterIdentity {
  readonly clusterId: string;
  /** Ed25519, PKCS#8, PEM. Never leaves this cluster. */
  readonly privateKey: string;
}

/** For simulations and tests. */
export function createMemoryStore(): ClusterStore {
  let identity: ClusterIdentity | undefined;
  let ownKey: string | undefined;
  let nextKey: string | undefined;
  let keySinceMs = 0;
  let reportedRevision = 0;
  return {
    loadPrivateKey: async () => ownKey,
    savePrivateKey: async (privateKey) => {
      ownKey = privateKey;
    },
    loadIdentity: async () => identity,
    saveIdentity: async (value, sinceMs = 0) => {
      identity = value;
      nextKey = undefined;
      keySinceMs = sinceMs;
    },
    loadNextKey: async () => nextKey,
    saveNextKey: async (privateKey) => {
      nextKey = privateKey;
    },
    loadKeySinceMs: async () => keySinceMs,
    loadReportedRevision: async () => reportedRevision,
    saveReportedRevision: async (value) => {
      reportedRevision = value;
    },
  };
}

/** In the cluster's own PostgreSQL: one row. */
export function createPostgresStore(knex: Knex): ClusterStore {
  const row = () => knex('cluster_server').first();
  const put = async (columns: Record<string, string | number | null>): Promise<void> => {
    await knex('cluster_server')
      .insert({ singleton: true, ...columns })
      .onConflict('singleton')
      .merge(Object.keys(columns));
  };
  return {
    loadPrivateKey: async () => (await row())?.private_key ?? undefined,
    savePrivateKey: (privateKey) => put({ private_key: privateKey }),
    loadIdentity: async () => {
      const found = await row();
      const isKnown = typeof found?.cluster_id === 'string';
      return isKnown ? { clusterId: found.cluster_id, privateKey: found.private_key } : undefined;
    },
    saveIdentity: ({ clusterId, privateKey }, sinceMs = 0) =>
      put({
        ...{ cluster_id: clusterId, private_key: privateKey },
        ...{ next_private_key: null, key_since_ms: sinceMs },
      }),
    loadNextKey: async () => (await row())?.next_private_key ?? undefined,
    saveNextKey: (privateKey) => put({ next_private_key: privateKey }),
    loadKeySinceMs: async () => Number((await row())?.key_since_ms ?? 0),
    loadReportedRevision: async () => Number((await row())?.reported_revision ?? 0),
    saveReportedRevision: (revision) => put({ reported_revision: revision }),
  };
}
