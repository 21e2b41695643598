import type { AuditStore, KeptAuditRecord } from '../../audit/store.ts';
import type { PostgresDatabase } from './database.ts';

const FORGET_MAX = 10_000;

/** See {@link AuditStore}. */
export function createPostgresAudit({ knex }: PostgresDatabase): AuditStore {
  return {
    async append(records) {
      await knex.raw(
        `insert into audit_log (at_ms, organisation_id, project_id, actor, role, operation,
           subjects, status, code, request_id, address)
         select * from jsonb_to_recordset(?::jsonb) as r("atMs" bigint, "organisationId" text,
           "projectId" text, actor text, role text, operation text, subjects jsonb, status int,
           code text, "requestId" text, address text)`,
        [JSON.stringify(records)],
      );
    },
    async list({ organisationId, actor, operation, before, limit }) {
      const found = knex('audit_log').orderBy('id', 'desc').limit(limit);
      if (organisationId !== undefined) found.where('organisation_id', organisationId);
      if (actor !== undefined) found.where('actor', actor);
      if (operation !== undefined) found.where('operation', operation);
      if (before !== undefined) found.where('id', '<', before);
      const rows: readonly KeptAuditRecord[] = await found.select({
        ...{ id: 'id', atMs: 'at_ms', organisationId: 'organisation_id', projectId: 'project_id' },
        ...{ actor: 'actor', role: 'role', operation: 'operation', subjects: 'subjects' },
        ...{ status: 'status', code: 'code', requestId: 'request_id', address: 'address' },
      });
      return rows;
    },
    async forget(beforeMs) {
      const { rowCount } = await knex.raw<{ rowCount: number }>(
        `delete from audit_log where id in (
           select id from audit_log order by id limit ${FORGET_MAX}) and at_ms < ?`,
        [beforeMs],
      );
      return rowCount;
    },
  };
}
