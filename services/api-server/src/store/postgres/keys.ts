import { API_KEY_LIMITS, type OrganisationId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { KeyStore, OwnedApiKey } from '../../keys/store.ts';
import type { PostgresDatabase } from './database.ts';
import { keyRows, type Row } from './rows.ts';

/** See {@link KeyStore}. */
export function createPostgresKeys(db: PostgresDatabase): KeyStore {
  return {
    find: (id) => find(db.knex, id),
    create: (key, nowMs) =>
      db.transaction(async (trx) => {
        const open = { id: key.projectId, closed_at_ms: null };
        const project = await trx('projects').where(open).forNoKeyUpdate().first('id');
        if (project === undefined) return false;
        const working = await trx('api_keys')
          .where({ project_id: key.projectId, revoked: false })
          .andWhereRaw('coalesce(expires_at_ms > ?, true)', [nowMs])
          .count()
          .first();
        if (Number(working?.count) >= API_KEY_LIMITS.keysMax) return false;
        await trx('api_keys').insert(keyRows.toRow(key));
        return true;
      }),
    list: async ({ projectId, after = '', limit }) => {
      const rows: readonly Row[] = await db
        .knex('api_keys')
        .where({ project_id: projectId })
        .andWhere('id', '>', after)
        .orderBy('id')
        .limit(limit);
      return rows.map(keyRows.fromRow);
    },
    rotate: (id, successor, expiresAtMs) =>
      db.transaction(async (trx) => {
        const changed = await trx('api_keys')
          .where({ id, revoked: false, successor_id: null })
          .update({
            successor_id: successor.id,
            expires_at_ms: trx.raw('least(expires_at_ms, ?)', [expiresAtMs]),
          });
        if (changed === 0) return { kind: 'over' };
        await trx('api_keys').insert(keyRows.toRow(successor));
        return { kind: 'rotated' };
      }),
    revoke: async (id, nowMs) => {
      const change = { revoked: true, revoked_at_ms: nowMs };
      await db.knex('api_keys').where({ id, revoked: false }).update(change);
    },
    noteUse: async (uses) => {
      const bindings = { ids: [...uses.keys()], times: [...uses.values()] };
      await db.knex.raw(
        `update api_keys k set last_used_at_ms = greatest(k.last_used_at_ms, u.at_ms)
         from unnest(:ids::text[], :times::bigint[]) as u(id, at_ms) where k.id = u.id`,
        bindings,
      );
    },
  };
}

async function find(knex: Knex, id: string): Promise<OwnedApiKey | undefined> {
  const row: Row | undefined = await knex('api_keys as k')
    .join('projects as p', 'p.id', 'k.project_id')
    .join('organisations as o', 'o.id', 'p.organisation_id')
    .where('k.id', id)
    .first('k.*', 'p.organisation_id', 'p.closed_at_ms', 'o.is_platform');
  if (row === undefined) return undefined;
  return {
    ...keyRows.fromRow(row),
    organisationId: row.organisation_id as OrganisationId,
    isPlatform: row.is_platform === true,
    isProjectClosed: row.closed_at_ms !== null,
  };
}
