import { NO_ATTEMPTS } from '../../sessions/attempts.ts';
import type { SessionStore } from '../../sessions/store.ts';
import type { PostgresDatabase } from './database.ts';
import { type Row, sessionRows, userRows } from './rows.ts';

/** See {@link SessionStore}. */
export function createPostgresSessions(db: PostgresDatabase): SessionStore {
  const { knex } = db;
  return {
    create: async (session) => {
      await knex('sessions').insert(sessionRows.toRow(session));
    },
    find: async (tokenHash) => {
      const row: Row | undefined = await knex('sessions').where({ token_hash: tokenHash }).first();
      if (row === undefined) return undefined;
      const session = sessionRows.fromRow(row);
      const user: Row | undefined = await knex('users').where({ id: session.userId }).first();
      return user === undefined ? undefined : { session, user: userRows.fromRow(user) };
    },
    end: async (id) => {
      await knex('sessions').where({ id }).delete();
    },
    noteUse: async (uses) => {
      await knex.raw(
        `update sessions s set last_used_at_ms = greatest(s.last_used_at_ms, u.at_ms)
         from unnest(:ids::text[], :times::bigint[]) as u(id, at_ms) where s.id = u.id`,
        { ids: [...uses.keys()], times: [...uses.values()] },
      );
    },
    forget: async ({ nowMs, usedBeforeMs, attemptsBeforeMs }) => {
      await knex('sessions')
        .where('expires_at_ms', '<=', nowMs)
        .orWhere('last_used_at_ms', '<=', usedBeforeMs)
        .delete();
      await knex('login_attempts').where('last_at_ms', '<=', attemptsBeforeMs).delete();
    },
    changeAttempts: (subjects, change) =>
      db.transaction(async (trx) => {
        // Locked in one order, also those that are not there yet.
        const sorted = [...subjects].sort();
        const fresh = sorted.map((subject) => ({ subject, failures: 0, last_at_ms: 0 }));
        await trx('login_attempts').insert(fresh).onConflict('subject').ignore();
        const rows: readonly Row[] = await trx('login_attempts')
          .whereIn('subject', sorted)
          .orderBy('subject')
          .forUpdate();
        const known = subjects.map((subject) => {
          const row = rows.find((each) => each.subject === subject);
          if (row === undefined) return NO_ATTEMPTS;
          return { failures: Number(row.failures), lastAtMs: Number(row.last_at_ms) };
        });
        const { attempts, result } = change(known);
        for (const [index, each] of (attempts ?? []).entries()) {
          const { failures, lastAtMs } = each;
          await trx('login_attempts')
            .where({ subject: subjects[index] })
            .update({ failures, last_at_ms: lastAtMs });
        }
        return result;
      }),
  };
}
