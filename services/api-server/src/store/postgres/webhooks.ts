import type { KeptDelivery, WebhookRecord, WebhookStore } from '../../webhooks/store.ts';
import type { PostgresDatabase } from './database.ts';

const FORGET_MAX = 10_000;

const COLUMNS: { readonly [K in keyof WebhookRecord]: string } = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  url: 'url',
  types: 'types',
  sealedSecret: 'sealed_secret',
  state: 'state',
  reason: 'reason',
  cursorSeq: 'cursor_seq',
  failingSinceMs: 'failing_since_ms',
  attempts: 'attempts',
  dueAtMs: 'due_at_ms',
  leaseUntilMs: 'lease_until_ms',
  createdAtMs: 'created_at_ms',
};
const SHOWN = Object.entries(COLUMNS)
  .map(([name, column]) => `${column} as "${name}"`)
  .join(', ');

/** See {@link WebhookStore}. */
export function createPostgresWebhooks(db: PostgresDatabase): WebhookStore {
  const { knex } = db;
  return {
    create: (record, max) =>
      db.transaction(async (trx) => {
        await trx.raw('select pg_advisory_xact_lock(hashtext(?))', [
          `webhooks ${record.projectId}`,
        ]);
        const others: readonly { name: string }[] = await trx('webhooks')
          .where('project_id', record.projectId)
          .select('name');
        if (others.some(({ name }) => name === record.name)) return 'nameTaken';
        if (others.length >= max) return 'tooMany';
        await trx('webhooks').insert(toRow(record));
        return 'created';
      }),
    list: (projectId) =>
      knex('webhooks').where('project_id', projectId).orderBy('id').select(knex.raw(SHOWN)),
    find: (projectId, id) =>
      knex('webhooks').where({ project_id: projectId, id }).first(knex.raw(SHOWN)),
    async change(projectId, id, patch) {
      const rows = await knex('webhooks')
        .where({ project_id: projectId, id })
        .update({ ...toRow(patch), id })
        .returning(knex.raw(SHOWN));
      return rows[0];
    },
    delete: async (projectId, id) =>
      (await knex('webhooks').where({ project_id: projectId, id }).delete()) > 0,
    async claim(nowMs, untilMs) {
      const { rows } = await knex.raw<{ rows: readonly WebhookRecord[] }>(
        `update webhooks set lease_until_ms = :untilMs where id = (
           select w.id from webhooks w join event_heads h on h.project_id = w.project_id
           where w.state = 'active' and h.last_seq <> w.cursor_seq and w.due_at_ms <= :nowMs
             and w.lease_until_ms <= :nowMs
           order by w.due_at_ms, w.id limit 1 for update of w skip locked)
         returning ${SHOWN}`,
        { nowMs, untilMs },
      );
      return rows[0];
    },
    settle: (webhook, standing, delivery) =>
      db.transaction(async (trx) => {
        const { state, reason, ...place } = standing;
        const had = { id: webhook.id, lease_until_ms: webhook.leaseUntilMs };
        const settled = await trx('webhooks')
          .where(had)
          .update({ ...toRow(place), lease_until_ms: 0 });
        if (settled === 0) return;
        // Somebody may have switched it off or on meanwhile.
        if (state === 'disabled')
          await trx('webhooks').where('id', webhook.id).update({ state, reason });
        if (delivery === undefined) return;
        await trx('webhook_deliveries').insert({
          ...{ webhook_id: delivery.webhookId, at_ms: delivery.atMs, events: delivery.events },
          ...{ first_seq: delivery.firstSeq, last_seq: delivery.lastSeq, error: delivery.error },
          ...{ status: delivery.status, duration_ms: delivery.durationMs },
        });
      }),
    async deliveries(id, before, limit) {
      const found = knex('webhook_deliveries').where('webhook_id', id).orderBy('id', 'desc');
      if (before !== undefined) found.where('id', '<', before);
      const rows: readonly KeptDelivery[] = await found.limit(limit).select({
        ...{ id: 'id', webhookId: 'webhook_id', atMs: 'at_ms', events: 'events' },
        ...{ firstSeq: 'first_seq', lastSeq: 'last_seq', status: 'status', error: 'error' },
        durationMs: 'duration_ms',
      });
      return rows;
    },
    async forgetDeliveries(beforeMs) {
      const { rowCount } = await knex.raw<{ rowCount: number }>(
        `delete from webhook_deliveries where id in (
           select id from webhook_deliveries order by id limit ${FORGET_MAX}) and at_ms < ?`,
        [beforeMs],
      );
      return rowCount;
    },
  };
}

function toRow(record: Partial<WebhookRecord>): Record<string, unknown> {
  const { types, ...others } = record;
  const row: Record<string, unknown> = {};
  for (const [name, column] of Object.entries(COLUMNS)) {
    if (name in others) row[column] = others[name as keyof typeof others];
  }
  return types === undefined ? row : { ...row, types: JSON.stringify(types) };
}
