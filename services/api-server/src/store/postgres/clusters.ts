import type { Capacity, ClusterId, LinkCommand } from '@factory/contracts';
import type { Knex } from 'knex';
import { isHostActive } from '../../clusters/capacity-summary.ts';
import { SILENT_AFTER_MS } from '../../clusters/connection.ts';
import type {
  ClusterOrphan,
  ClusterStore,
  ClusterWords,
  CommandsResult,
  EnrolResult,
  HostGoneResult,
} from '../../clusters/store.ts';
import { assignAgain } from './assign-again.ts';
import { appendCommands, type PostgresDatabase } from './database.ts';
import { HEARD_SINCE, ingest } from './ingest.ts';
import { clusterRows, type Row } from './rows.ts';

/** See {@link ClusterStore}. */
export function createPostgresClusters(db: PostgresDatabase): ClusterStore {
  return {
    list: async () => {
      const rows: readonly Row[] = await db
        .knex('clusters')
        .select(...clusterRows.columns)
        .orderBy('name');
      return rows.map(clusterRows.fromRow);
    },
    declareHostGone: (clusterName, hostName) =>
      db.transaction(async (trx, wakes): Promise<HostGoneResult> => {
        const row = await trx('clusters').where('name', clusterName).first('id', 'capacity');
        if (row === undefined) return 'noSuchCluster';
        const capacity: Capacity | null = row.capacity;
        if (isHostActive(capacity, hostName)) return 'isActive';
        await appendCommands(trx, row.id, [{ kind: 'declareHostGone', hostName }]);
        wakes.add({ clusters: [row.id] });
        return 'declared';
      }),
    orphans: async () => {
      const { rows } = await db.knex.raw<{ rows: readonly ClusterOrphan[] }>(
        `select c.id as "clusterId", c.name as "clusterName", o.*
         from clusters c, jsonb_to_recordset(c.capacity -> 'orphans') as o(
           "vmId" text, "agentId" text, "hostName" text, "hasDomain" boolean, "hasFiles" boolean,
           "hasCards" boolean)
         order by c.name, o."hostName", o."vmId"`,
      );
      return rows;
    },
    findPeer: async (id) => {
      const row = await db
        .knex('clusters')
        .where({ id })
        .first('id', 'name', 'state', 'public_key', 'next_public_key');
      if (row === undefined) return undefined;
      const { name, state, public_key: publicKey, next_public_key: nextPublicKey } = row;
      return { id: row.id, name, state, publicKey, nextPublicKey };
    },
    enrol: (input) => enrol(db, input),
    openSession: (id, nonce, nowMs, words) =>
      db.transaction(async (trx, wakes) => {
        const kept = await trx('link_nonces')
          .insert({ cluster_id: id, nonce, seen_at_ms: nowMs })
          .onConflict(['cluster_id', 'nonce'])
          .ignore()
          .returning('nonce');
        if (kept.length === 0) return { kind: 'replayed' } as const;
        const [row] = await trx('clusters')
          .where({ id })
          .update({ epoch: trx.raw('epoch + 1'), ...heardAt(trx, nowMs), ...told(trx, words) })
          .returning('epoch');
        wakes.add({ clusters: [id] });
        return { kind: 'opened', epoch: row.epoch } as const;
      }),
    ingest: (news) => ingest(db, news),
    commandsAfter: (id, epoch, afterSeq, bounds) =>
      commandsAfter(db.knex, id, epoch, afterSeq, bounds),
  };
}

/** When it was heard, and since when without a longer silence. */
function heardAt(trx: Knex.Transaction, nowMs: number) {
  const heardSince = trx.raw(HEARD_SINCE, { nowMs, heardAfterMs: nowMs - SILENT_AFTER_MS });
  return { last_seen_at_ms: nowMs, heard_since_ms: heardSince };
}

/** Operators' words go before the cluster's own. */
function told(trx: Knex.Transaction, { features, region, attributes }: ClusterWords) {
  return {
    features: JSON.stringify(features),
    region: trx.raw("coalesce(nullif(given_region, ''), ?)", [region]),
    attributes: trx.raw('?::jsonb || given_attributes', [JSON.stringify(attributes)]),
  };
}

async function enrol(
  db: PostgresDatabase,
  input: Parameters<ClusterStore['enrol']>[0],
): Promise<EnrolResult> {
  const { tokenHash, name, publicKey, nowMs } = input;
  return db.transaction(async (trx, wakes): Promise<EnrolResult> => {
    const ofToken = { token_hash: tokenHash, cluster_name: name };
    const token: Row | undefined = await trx('enrolment_tokens')
      .where(ofToken)
      .andWhere('expires_at_ms', '>=', nowMs)
      .whereNull('revoked_at_ms')
      .forUpdate()
      .first();
    if (token === undefined) return { kind: 'refused' };
    if (token.spent_for !== null) {
      const enrolled: Row | undefined = await trx('clusters').where({ name }).first('id');
      const isSame = token.spent_for === publicKey && enrolled !== undefined;
      return isSame
        ? { kind: 'enrolled', clusterId: enrolled.id as ClusterId }
        : { kind: 'refused' };
    }
    await trx('enrolment_tokens').where(ofToken).update({ spent_for: publicKey });
    const { rows } = await trx.raw<{ rows: readonly { id: ClusterId }[] }>(
      `insert into clusters (id, name, public_key, enrolled_at_ms, owner_organisation_id,
         region, given_region, attributes, given_attributes, caps, state, state_since_ms)
       select :id, :name, :publicKey, :nowMs, t.owner_organisation_id,
         t.region, t.region, t.attributes, t.attributes, t.caps,
         case when t.is_trusted then 'active' else 'joining' end, :nowMs
       from enrolment_tokens t where t.cluster_name = :name
       on conflict (name) do update set public_key = excluded.public_key,
         next_public_key = null, ${GRANTED_AGAIN},
         enrolled_at_ms = excluded.enrolled_at_ms, capacity = null, capacity_summary = null,
         acked_seq = 0, capacity_seq = 0, claimed_seq = 0, silent_since_ms = null,
         epoch = clusters.epoch + case when clusters.epoch = 0 then 0 else 1 end
       returning id`,
      { id: input.clusterId, name, publicKey, nowMs },
    );
    const clusterId = rows[0]?.id ?? input.clusterId;
    await beginLogAnew(trx, clusterId);
    wakes.add({ clusters: [clusterId] });
    return { kind: 'enrolled', clusterId };
  });
}

/** What a cluster keeps that enrols again: all that the token does not say otherwise. */
const GRANTED_AGAIN = [
  'owner_organisation_id = coalesce(excluded.owner_organisation_id, clusters.owner_organisation_id)',
  "given_region = coalesce(nullif(excluded.region, ''), clusters.given_region)",
  "region = coalesce(nullif(excluded.region, ''), clusters.region)",
  'given_attributes = clusters.given_attributes || excluded.attributes',
  'attributes = clusters.attributes || excluded.attributes',
  "caps = case when excluded.caps = '{}' then clusters.caps else excluded.caps end",
  "state = case when clusters.state in ('revoked', 'withdrawn') then excluded.state else clusters.state end",
  'notice_until_ms = null',
].join(', ');

/** The cluster knows nothing (any more): its log begins at 1 with all machines it should have. */
async function beginLogAnew(trx: Knex.Transaction, clusterId: ClusterId): Promise<void> {
  await trx('command_logs')
    .insert({ cluster_id: clusterId, last_seq: 0 })
    .onConflict('cluster_id')
    .merge();
  await trx('commands').where('cluster_id', clusterId).delete();
  await assignAgain(trx, clusterId);
  // It had these machines before: they are claimed already.
  await trx('clusters')
    .where('id', clusterId)
    .update({
      claimed_seq: trx('command_logs').where('cluster_id', clusterId).select('last_seq'),
    });
}

async function commandsAfter(
  knex: Knex,
  id: ClusterId,
  epoch: number,
  afterSeq: number,
  bounds: { readonly limit: number; readonly bytesMax: number },
): Promise<CommandsResult> {
  interface Joined {
    readonly epoch: number;
    readonly seq: number | null;
    readonly command: LinkCommand | null;
    readonly hasUnclaimed: boolean;
  }
  const { rows } = await knex.raw<{ rows: readonly Joined[] }>(
    `select k.epoch, c.seq, c.command, l.last_seq > k.claimed_seq as "hasUnclaimed"
     from clusters k join command_logs l on l.cluster_id = k.id left join lateral (
       select seq, command, sum(bytes) over (order by seq) as bytes_so_far,
         row_number() over (order by seq) as position
       from (select * from commands where cluster_id = k.id and seq > :afterSeq
               and seq <= k.claimed_seq order by seq limit :limit) due
     ) c on c.bytes_so_far <= :bytesMax or c.position = 1
     where k.id = :id order by c.seq`,
    { id, afterSeq, ...bounds },
  );
  const current = rows[0]?.epoch ?? 0;
  if (current !== epoch) return { kind: 'stale', epoch: current };
  const commands = rows.flatMap(({ seq, command }) =>
    seq === null || command === null ? [] : [{ seq, command }],
  );
  return { kind: 'commands', commands, hasUnclaimed: rows[0]?.hasUnclaimed === true };
}
