import type { Knex } from 'knex';
import type { UserPatch, UserRecord, UserStore } from '../../users/store.ts';
import type { PostgresDatabase } from './database.ts';
import { type Row, userRows } from './rows.ts';

/** See {@link UserStore}. */
export function createPostgresUsers(db: PostgresDatabase): UserStore {
  const first = async (select: Knex.QueryBuilder): Promise<UserRecord | undefined> => {
    const row: Row | undefined = await select.first('users.*');
    return row === undefined ? undefined : userRows.fromRow(row);
  };
  return {
    create: async (user) => {
      const kept = await db
        .knex('users')
        .insert({ ...userRows.toRow(user), memberships: JSON.stringify(user.memberships) })
        .onConflict(['organisation_id', 'email'])
        .ignore()
        .returning('id');
      return kept.length > 0;
    },
    find: (id) => first(db.knex('users').where({ id })),
    findByEmail: (organisation, email) =>
      first(
        db
          .knex('users')
          .join('organisations as o', 'o.id', 'users.organisation_id')
          .where({ 'o.name': organisation, 'users.email': email }),
      ),
    findByOidc: (subject) => first(db.knex('users').where({ oidc_subject: subject })),
    list: async ({ organisationId, email, after = '', limit }) => {
      const select = db.knex('users').where({ organisation_id: organisationId });
      if (email !== undefined) select.andWhere({ email: email.toLowerCase() });
      const rows: readonly Row[] = await select
        .andWhere('id', '>', after)
        .orderBy('id')
        .limit(limit);
      return rows.map(userRows.fromRow);
    },
    change: (id, patch, endsSessions) =>
      db.transaction(async (trx) => {
        await trx('users').where({ id }).update(patchRow(patch));
        if (endsSessions) await trx('sessions').where({ user_id: id }).delete();
      }),
    delete: async (id) => {
      await db.knex('users').where({ id }).delete();
    },
  };
}

function patchRow(patch: UserPatch): Record<string, unknown> {
  const { memberships } = patch;
  const texts = memberships === undefined ? {} : { memberships: JSON.stringify(memberships) };
  return { ...userRows.toPartialRow(patch), ...texts };
}
