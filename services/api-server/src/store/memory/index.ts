import type { ApiStore } from '../api-store.ts';
import { createMemoryAudit } from './audit.ts';
import { createMemoryBatches } from './batches.ts';
import { createMemoryBootstrap } from './bootstrap.ts';
import { createMemoryClusters } from './clusters.ts';
import { createMemoryConsoles } from './consoles.ts';
import { MemoryDatabase } from './database.ts';
import { createMemoryEvents } from './events.ts';
import { createMemoryFlavors } from './flavors.ts';
import { createMemoryFleet } from './fleet.ts';
import { createMemoryHolds } from './holds.ts';
import { createMemoryImages } from './images.ts';
import { createMemoryInvariants } from './invariants.ts';
import { createMemoryKeys } from './keys.ts';
import { createMemoryMetrics } from './metrics.ts';
import { createMemoryOrphans } from './orphans.ts';
import { createMemoryPlanning } from './planning.ts';
import { createMemoryFairShares, createMemoryPolicies } from './policies.ts';
import { createMemoryQuota } from './quota.ts';
import { createMemoryReplicas } from './replicas.ts';
import { createMemoryReports } from './reports.ts';
import { createMemorySessions } from './sessions.ts';
import { createMemorySubnets } from './subnets.ts';
import { createMemoryTenancy } from './tenancy.ts';
import { createMemoryTerms } from './terms.ts';
import { createMemoryUsage } from './usage.ts';
import { createMemoryUsers } from './users.ts';
import { createMemoryOperations, createMemoryVms } from './vms.ts';
import { createMemoryVolumes } from './volumes.ts';
import { createMemoryWebhooks } from './webhooks.ts';

export { MemoryDatabase } from './database.ts';

/** An {@link ApiStore} in memory, for tests and simulations. Stores of one database share it. */
export function createMemoryStore(database = new MemoryDatabase()): ApiStore {
  return {
    batches: createMemoryBatches(database),
    terms: createMemoryTerms(database),
    holds: createMemoryHolds(database),
    reports: createMemoryReports(database),
    vms: createMemoryVms(database),
    operations: createMemoryOperations(database),
    consoles: createMemoryConsoles(database),
    volumes: createMemoryVolumes(database),
    metrics: createMemoryMetrics(database),
    orphans: createMemoryOrphans(database),
    images: createMemoryImages(database),
    replicas: createMemoryReplicas(database),
    invariants: createMemoryInvariants(database),
    fleet: createMemoryFleet(database),
    clusters: createMemoryClusters(database),
    tenancy: createMemoryTenancy(database),
    keys: createMemoryKeys(database),
    users: createMemoryUsers(database),
    sessions: createMemorySessions(database),
    bootstrap: createMemoryBootstrap(database),
    planning: createMemoryPlanning(database),
    subnets: createMemorySubnets(database),
    quota: createMemoryQuota(database),
    flavors: createMemoryFlavors(database),
    events: createMemoryEvents(database),
    webhooks: createMemoryWebhooks(database),
    audit: createMemoryAudit(database),
    policies: createMemoryPolicies(database),
    fairShares: createMemoryFairShares(database),
    usage: createMemoryUsage(database),
    subscribe: (onWake) => database.subscribe(onWake),
    ping: async () => undefined,
    close: async () => undefined,
  };
}
