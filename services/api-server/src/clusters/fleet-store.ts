import type { Silence } from './connection.ts';

/** The clusters as those see them who run and own them. Every method is one transaction. */
export interface FleetStore {
  /** Clusters whose last word is older than `heardAfterMs`; those that never spoke have no machines. */
  silence(heardAfterMs: number): Promise<Silence>;
}
