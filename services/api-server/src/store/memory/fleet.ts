import type { FleetStore } from '../../clusters/fleet-store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link FleetStore}. */
export function createMemoryFleet(db: MemoryDatabase): FleetStore {
  return {
    silence: async (heardAfterMs) =>
      new Map(
        [...db.clusters.values()].flatMap(({ id, lastSeenAtMs }) =>
          lastSeenAtMs !== null && lastSeenAtMs < heardAfterMs ? [[id, lastSeenAtMs]] : [],
        ),
      ),
  };
}
