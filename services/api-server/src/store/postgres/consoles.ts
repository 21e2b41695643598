import type { ConsoleStore } from '../../consoles/store.ts';
import type { PostgresDatabase } from './database.ts';
import { consoleTicketRows, type Row } from './rows.ts';

/** See {@link ConsoleStore}. */
export function createPostgresConsoles({ knex }: PostgresDatabase): ConsoleStore {
  const table = () => knex('console_tickets');
  return {
    put: async (ticket) => {
      await table().insert(consoleTicketRows.toRow(ticket));
    },
    find: async (id) => {
      const row: Row | undefined = await table().where({ id }).first();
      return row === undefined ? undefined : consoleTicketRows.fromRow(row);
    },
    use: async (id, operationId, heldAt) => {
      const used = { operation_id: operationId, held_at: heldAt };
      return (await table().where({ id, operation_id: null }).update(used)) === 1;
    },
    holderOf: async (operationId) => {
      const row: Row | undefined = await table().where({ operation_id: operationId }).first();
      return row === undefined ? undefined : (consoleTicketRows.fromRow(row).heldAt ?? undefined);
    },
  };
}
