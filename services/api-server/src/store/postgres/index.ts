import { type Clock, createIdGenerator, type Logger, type Random } from '@factory/runtime';
import { listenForNotifications, openKnex } from '@factory/runtime/postgres';
import type { ApiStore } from '../api-store.ts';
import { createPostgresAudit } from './audit.ts';
import { createPostgresBatches } from './batches.ts';
import { createPostgresBootstrap } from './bootstrap.ts';
import { createPostgresClusters } from './clusters.ts';
import { createPostgresConsoles } from './consoles.ts';
import { PostgresDatabase, WAKE_CHANNEL } from './database.ts';
import { createPostgresEvents, EVENTS_CHANNEL } from './events.ts';
import { createPostgresFlavors } from './flavors.ts';
import { createPostgresFleet } from './fleet.ts';
import { createPostgresHolds } from './holds.ts';
import { createPostgresImages } from './images.ts';
import { createPostgresInvariants } from './invariants.ts';
import { createPostgresKeys } from './keys.ts';
import { createPostgresMetrics } from './metrics.ts';
import { createPostgresOrphans } from './orphans.ts';
import { createPostgresPlanning } from './planning.ts';
import { createPostgresFairShares, createPostgresPolicies } from './policies.ts';
import { createPostgresQuota } from './quota.ts';
import { createPostgresReplicas } from './replicas.ts';
import { createPostgresReports } from './reports.ts';
import { createPostgresSessions } from './sessions.ts';
import { createPostgresSubnets } from './subnets.ts';
import { createPostgresTenancy } from './tenancy.ts';
import { createPostgresTerms } from './terms.ts';
import { createPostgresUsage } from './usage.ts';
import { createPostgresUsers } from './users.ts';
import { createPostgresOperations, createPostgresVms } from './vms.ts';
import { createPostgresVolumes } from './volumes.ts';
import { createPostgresWebhooks } from './webhooks.ts';

/**
 * An {@link ApiStore} on PostgreSQL, whose migrations have been applied. Any number of processes
 * may share the database: they wake each other by notifications.
 */
export function createPostgresStore(options: {
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly poolMax?: number;
}): ApiStore {
  const { url, clock, random, logger, poolMax = 10 } = options;
  const knex = openKnex(url, { poolMax });
  const instance = createIdGenerator(clock, random)('api');
  const db = new PostgresDatabase(knex, instance, logger);
  const listener = listenForNotifications(url, WAKE_CHANNEL, (text) => db.receive(text), {
    clock,
    logger,
    random,
  });
  const onEvents = new Set<() => void>();
  const eventListener = listenForNotifications(
    url,
    EVENTS_CHANNEL,
    () => {
      for (const onWake of onEvents) onWake();
    },
    { clock, logger, random },
  );
  const events = createPostgresEvents(db, (onWake) => {
    onEvents.add(onWake);
    return () => onEvents.delete(onWake);
  });
  return {
    events,
    usage: createPostgresUsage(db),
    webhooks: createPostgresWebhooks(db),
    audit: createPostgresAudit(db),
    batches: createPostgresBatches(db),
    terms: createPostgresTerms(db),
    holds: createPostgresHolds(db),
    reports: createPostgresReports(db),
    vms: createPostgresVms(db),
    operations: createPostgresOperations(db),
    consoles: createPostgresConsoles(db),
    volumes: createPostgresVolumes(db),
    metrics: createPostgresMetrics(db),
    orphans: createPostgresOrphans(db),
    images: createPostgresImages(db),
    replicas: createPostgresReplicas(db),
    invariants: createPostgresInvariants(db),
    fleet: createPostgresFleet(db),
    clusters: createPostgresClusters(db),
    bootstrap: createPostgresBootstrap(db),
    planning: createPostgresPlanning(db),
    subnets: createPostgresSubnets(db),
    quota: createPostgresQuota(db),
    flavors: createPostgresFlavors(db),
    tenancy: createPostgresTenancy(db),
    keys: createPostgresKeys(db),
    policies: createPostgresPolicies(db),
    fairShares: createPostgresFairShares(db),
    users: createPostgresUsers(db),
    sessions: createPostgresSessions(db),
    subscribe: (onWake) => db.subscribe(onWake),
    ping: async () => {
      await knex.raw('select 1');
    },
    close: async () => {
      await Promise.all([listener.close(), eventListener.close()]);
      await knex.destroy();
    },
  };
}
