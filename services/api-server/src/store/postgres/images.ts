import type { Knex } from 'knex';
import type { ClusterImages, ImageStore, StageRecord } from '../../images/store.ts';
import type { ImageVersionRecord } from '../../images/version.ts';
import type { PostgresDatabase } from './database.ts';
import { takeQuota } from './quota.ts';
import { imageRows, type Row } from './rows.ts';

/** See {@link ImageStore}. */
export function createPostgresImages(db: PostgresDatabase): ImageStore {
  const { knex } = db;
  const rows = () =>
    knex('image_versions')
      .orderBy('created_at_ms')
      .select(...imageRows.columns);
  const read = async (query: PromiseLike<readonly Row[]>): Promise<ImageVersionRecord[]> =>
    (await query).map(imageRows.fromRow);
  return {
    create: (record) => db.transaction((trx) => create(trx, record)),
    adopt: (records) =>
      db.transaction(async (trx) => {
        // Two clusters may speak of the same at once.
        await trx.raw("select pg_advisory_xact_lock(hashtextextended('made images', 0))");
        for (const record of records) {
          const { folder, version, projectId } = record;
          const states = ['ready', 'deleting'];
          const isKnown = await trx('image_versions')
            .where({ folder, version })
            .whereIn('state', states)
            .first('id');
          const project = await trx('projects').where('id', projectId).first('id');
          if (isKnown !== undefined || project === undefined) continue;
          await trx('image_versions').insert(imageRows.toRow(record));
        }
      }),
    find: async (id) => (await read(rows().where({ id })))[0],
    visibleTo: (projectId, name) => {
      const query = rows().where((each) =>
        each.where('project_id', projectId).orWhere('visibility', 'public'),
      );
      return read(name === undefined ? query : query.where({ name }));
    },
    inStates: (states) => read(rows().whereIn('state', [...states])),
    update: async (id, states, patch) => {
      const columns = imageRows.toPartialRow(patch);
      const query = knex('image_versions')
        .where({ id })
        .whereIn('state', [...states]);
      return (await query.update(columns)) > 0;
    },
    claim: (states, nowMs, untilMs) =>
      db.transaction(async (trx) => {
        const [row]: readonly Row[] = await trx('image_versions')
          .whereIn('state', [...states])
          .where('lease_until_ms', '<=', nowMs)
          .orderBy('state_since_ms')
          .limit(1)
          .forUpdate()
          .skipLocked()
          .select(...imageRows.columns);
        if (row === undefined) return undefined;
        const record = imageRows.fromRow(row);
        const lease = { lease_until_ms: untilMs };
        await trx('image_versions').where('id', record.id).update(lease);
        return { ...record, leaseUntilMs: untilMs };
      }),
    lease: async (id, state, nowMs, untilMs) =>
      (await knex('image_versions')
        .where({ id, state })
        .andWhere('lease_until_ms', '<=', nowMs)
        .update({ lease_until_ms: untilMs })) > 0,
    pastDeadline: (nowMs) => read(rows().where('deadline_at_ms', '<', nowMs)),
    countUses: async (image, version) => {
      const machines = knex('vms').where({ image, image_version: version });
      const batches = knex('batches').where({
        image,
        image_version: version,
        needs_planning: true,
      });
      const [[vms], [waiting]] = await Promise.all([
        machines.whereNot('state', 'deleted').count('* as count'),
        batches.whereNot('state', 'deleted').count('* as count'),
      ]);
      return Number(vms?.count ?? 0) + Number(waiting?.count ?? 0);
    },
    remove: async (id) => {
      await knex('image_versions').where({ id }).delete();
    },
    report: (input) =>
      db.transaction(async (trx) => {
        const { clusterId, nonce, nowMs, epoch } = input;
        if (!(await useNonce(trx, clusterId, nonce, nowMs))) return 'replayed';
        const cluster = await trx('clusters').where('id', clusterId).first('epoch');
        if (cluster?.epoch !== epoch) return 'stale';
        const images = JSON.stringify(input.images);
        await trx('cluster_images')
          .insert({ cluster_id: clusterId, images, reported_at_ms: nowMs })
          .onConflict('cluster_id')
          .merge(['images', 'reported_at_ms']);
        return 'kept';
      }),
    isFirstUse: (clusterId, nonce, nowMs) => useNonce(knex, clusterId, nonce, nowMs),
    clusterImages: async () => {
      const told: ClusterImages[] = await knex('cluster_images as i')
        .join('clusters as c', 'c.id', 'i.cluster_id')
        .orderBy('c.name')
        .select({ clusterId: 'c.id', clusterName: 'c.name', images: 'i.images' });
      return told;
    },
    putStages: async (stages) => {
      if (stages.length > 0) await putStages(knex, stages);
    },
    stages: async (nowMs) => {
      await knex('image_stages').where('until_ms', '<', nowMs).delete();
      const found: StageRecord[] = await knex('image_stages').select({
        ...{ clusterId: 'cluster_id', name: 'folder', version: 'version' },
        ...{ hostNames: 'host_names', untilMs: 'until_ms' },
      });
      return found;
    },
  };
}

/** Public names are one project's alone: the lock keeps two from taking one at a time. */
async function create(trx: Knex.Transaction, record: ImageVersionRecord) {
  const { name, visibility } = record;
  const excess = await takeQuota(trx, record.projectId, () => ({ images: 1 }));
  if (excess !== undefined) return { kind: 'overQuota', excess } as const;
  if (visibility === 'public') {
    await trx.raw("select pg_advisory_xact_lock(hashtextextended('image ' || ?, 0))", [name]);
    const other = await trx('image_versions')
      .where({ name, visibility })
      .whereNot('project_id', record.projectId)
      .first('id');
    if (other !== undefined) return { kind: 'taken' } as const;
  }
  await trx('image_versions').insert(imageRows.toRow(record));
  return { kind: 'created' } as const;
}

async function useNonce(
  knex: Knex,
  clusterId: string,
  nonce: string,
  nowMs: number,
): Promise<boolean> {
  const kept = await knex('link_nonces')
    .insert({ cluster_id: clusterId, nonce, seen_at_ms: nowMs })
    .onConflict(['cluster_id', 'nonce'])
    .ignore()
    .returning('nonce');
  return kept.length > 0;
}

async function putStages(knex: Knex, stages: readonly StageRecord[]): Promise<void> {
  const rows = stages.map(({ clusterId, name, version, hostNames, untilMs }) => ({
    ...{ cluster_id: clusterId, folder: name, version, until_ms: untilMs },
    host_names: hostNames === null ? null : JSON.stringify(hostNames),
  }));
  await knex('image_stages')
    .insert(rows)
    .onConflict(['cluster_id', 'folder', 'version'])
    .merge(['host_names', 'until_ms']);
}
