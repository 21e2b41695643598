import type { ClusterId } from '@factory/contracts';
import type { FleetStore } from '../../clusters/fleet-store.ts';
import type { PostgresDatabase } from './database.ts';

/** See {@link FleetStore}. */
export function createPostgresFleet(db: PostgresDatabase): FleetStore {
  return {
    silence: async (heardAfterMs) => {
      const rows: readonly { id: ClusterId; sinceMs: number }[] = await db
        .knex('clusters')
        .where('last_seen_at_ms', '<', heardAfterMs)
        .select({ id: 'id', sinceMs: 'last_seen_at_ms' });
      return new Map(rows.map(({ id, sinceMs }) => [id, sinceMs]));
    },
  };
}
