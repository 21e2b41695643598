import {
  type Clock,
  createHttpApp,
  createIdGenerator,
  createUpgrades,
  createWebSocketAcceptor,
  type HttpTransport,
  type Logger,
  type Random,
  SecretBox,
  sleep,
  withDeadline,
} from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { AuditDuty } from './audit/duty.ts';
import { auditCalls } from './audit/hook.ts';
import { AuditLog } from './audit/log.ts';
import { auditRoutes } from './audit/routes.ts';
import { holdRoutes } from './batches/hold-routes.ts';
import { HoldService } from './batches/holds.ts';
import { batchRoutes } from './batches/routes.ts';
import { BatchService } from './batches/service.ts';
import { BatchTermsDuty } from './batches/terms.ts';
import { bootstrapRoutes } from './bootstrap/routes.ts';
import { SILENT_AFTER_MS } from './clusters/connection.ts';
import { FleetService } from './clusters/fleet-service.ts';
import { noticeDuty } from './clusters/notice.ts';
import { clusterRoutes, hostRoutes } from './clusters/routes.ts';
import { tokenRoutes } from './clusters/token-routes.ts';
import { TokenService } from './clusters/token-service.ts';
import { conformanceRoutes } from './conformance/routes.ts';
import { ConformanceService } from './conformance/service.ts';
import { type ConsoleLimits, ConsoleMeetings } from './consoles/meetings.ts';
import { ConsoleOpening } from './consoles/opening.ts';
import { consoleRoutes } from './consoles/routes.ts';
import { consoleSockets } from './consoles/sockets.ts';
import { ConsoleTickets } from './consoles/tickets.ts';
import { EventDuty } from './events/duty.ts';
import { EventFeed } from './events/feed.ts';
import { eventRoutes } from './events/routes.ts';
import { flavorRoutes } from './flavors/routes.ts';
import { enforceAccess } from './http/access.ts';
import { installEtags } from './http/etag.ts';
import { installOpenApi } from './http/openapi.ts';
import { requireInternalToken, requirePrincipal } from './http/principal.ts';
import {
  createImagePlane,
  createMemoryImageSettings,
  type ImagePlane,
  type ImageSettings,
} from './images/plane.ts';
import { replicaRoutes } from './images/replica-routes.ts';
import { imageRoutes } from './images/routes.ts';
import { invariantRoutes } from './invariants/routes.ts';
import { JobDispatcher } from './jobs/dispatcher.ts';
import type { JobQueue } from './jobs/queue.ts';
import { createWork } from './jobs/work.ts';
import { linkRoutes } from './link/routes.ts';
import { LinkService } from './link/service.ts';
import { createLinkMetrics } from './metrics.ts';
import { batchOperationRoutes } from './operations/batch-routes.ts';
import { BatchOperationService } from './operations/batch-service.ts';
import { manyRoutes } from './operations/many-routes.ts';
import { operationRoutes } from './operations/routes.ts';
import { OperationService } from './operations/service.ts';
import { orphanRoutes } from './orphans/routes.ts';
import { OrphanService } from './orphans/service.ts';
import { FairShareService } from './planning/fair-share-service.ts';
import { ReassignService } from './planning/reassign-service.ts';
import { PlanningService } from './planning/service.ts';
import { WithdrawService } from './planning/withdraw-service.ts';
import { policyRoutes } from './policies/routes.ts';
import { quotaRoutes } from './quota/routes.ts';
import { QuotaService } from './quota/service.ts';
import type { ApiStore } from './store/api-store.ts';
import { readingStore } from './store/reading.ts';
import { checkSubnetCidr } from './subnets/addresses.ts';
import { subnetRoutes } from './subnets/routes.ts';
import { SubnetService } from './subnets/service.ts';
import { type AccessPlane, type AccessSettings, createAccessPlane } from './tenancy/plane.ts';
import { ucloudRoutes } from './ucloud/routes.ts';
import { UsageDuty } from './usage/duty.ts';
import { usageRoutes } from './usage/routes.ts';
import { UsageService } from './usage/service.ts';
import { metricsRoutes } from './vm-metrics/routes.ts';
import { MetricsService } from './vm-metrics/service.ts';
import { vmRoutes } from './vms/routes.ts';
import { VmService } from './vms/service.ts';
import { volumeRoutes } from './volumes/routes.ts';
import { VolumeService } from './volumes/service.ts';
import { vmVolumeRoutes } from './volumes/vm-routes.ts';
import { WakeHub } from './wakeups.ts';
import { createWebhookPlane, type WebhookPlane } from './webhooks/plane.ts';
import { webhookRoutes } from './webhooks/routes.ts';

export type { BootstrapAnswer, BootstrapRequest } from './bootstrap/service.ts';
export { createDownloads } from './images/download.ts';
export { createImageFiles } from './images/files.ts';
export { createPostgresJobQueue, createRedisJobQueue } from './jobs/bullmq-queue.ts';
export { MemoryJobQueue } from './jobs/memory-queue.ts';
export type { Job, JobQueue } from './jobs/queue.ts';
export type { ApiStore } from './store/api-store.ts';
export { createMemoryStore, MemoryDatabase } from './store/memory/index.ts';
export { createPostgresStore } from './store/postgres/index.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const SWEEP_INTERVAL_MS = 5_000;
const PING_TIMEOUT_MS = 2_000;
const CONSOLE_LIMITS: ConsoleLimits = { idleMs: 30 * 60_000, totalMs: 12 * 3_600_000 };

/** What an api-server is made of. The store and the queue stay the caller's to close. */
export interface ApiServerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: ApiStore;
  readonly jobs: JobQueue;
  /** What the gateway and the factory's own tools are known by. */
  readonly internalToken: string;
  /** 32 bytes in hexadecimal or base64: seals the secrets of API keys. */
  readonly secretKey: string;
  /** Of the subnet `default` of projects. */
  readonly subnetCidr: string;
  /** Where other api-servers on the same database reach this one; without it there is but one. */
  readonly selfUrl?: () => string;
  readonly consoleLimits?: ConsoleLimits;
  readonly access?: AccessSettings;
  /** Absent: what is uploaded is kept in memory, and nothing is fetched, as in simulations. */
  readonly images?: ImageSettings;
  /** By which webhooks are called; it must refuse addresses of the inside. Absent: none is. */
  readonly outside?: HttpTransport;
}

export interface ApiServer {
  readonly app: FastifyInstance;
  /** Begins the background work. */
  start(): Promise<void>;
  /** Answers all long polls and ends the background work; the app is the caller's to close. */
  close(): Promise<void>;
}

/**
 * The api-server: batches, machines, planning over clusters, and the cluster link. It trusts the
 * gateway to say who calls.
 * @throws BadCidrError, BadSecretKeyError
 */
export async function createApiServer(parts: ApiServerParts): Promise<ApiServer> {
  const { clock, random, logger, store, jobs: queue } = parts;
  checkSubnetCidr(parts.subnetCidr);
  const newId = createIdGenerator(clock, random);
  const planning = new PlanningService({ store, clock, newId, logger });
  const reassign = new ReassignService({ store, planning, logger });
  const withdraw = new WithdrawService({ store, logger });
  const terms = new BatchTermsDuty({ store, logger });
  const wakes = new WakeHub(store, clock);
  const feed = new EventFeed({ store: store.events, clock, logger, wakes });
  const secrets = new SecretBox(parts.secretKey, random);
  const webhooks = createWebhookPlane(parts.outside, {
    ...{ store, feed, clock, random, logger, newId, secrets },
  });
  const fairShares = new FairShareService(store);
  const { subnetCidr } = parts;
  const access = createAccessPlane(
    { store, clock, random, logger, newId, secrets, subnetCidr },
    parts.access,
  );
  const duties = [
    ...[reassign, withdraw, terms, fairShares, new UsageDuty(store.usage), access.duty],
    ...[new AuditDuty(store.audit), webhooks.deliverer],
    new EventDuty(store.events, feed, SILENT_AFTER_MS),
    noticeDuty({ store, logger }),
  ];
  const handle = createWork({ clock, logger, planning, duties });
  const jobs = new JobDispatcher({ queue, clock, logger, handle });
  const app = createHttpApp({
    service: 'api-server',
    clock,
    logger,
    random,
    bodyLimitBytes: BODY_BYTES_MAX,
    isReady: () => readyReport(store, clock),
  });
  // Answers are built field by field; checking them against their schemas again costs more than all
  // else in a page of 500 machines.
  app.setSerializerCompiler(() => (body) => JSON.stringify(body));
  await installOpenApi(app);
  const metrics = createLinkMetrics(app.metricsRegistry);
  const link = new LinkService({ store, clock, newId, logger, jobs, wakes, metrics, secrets });
  const tickets = new ConsoleTickets({ store, clock, random, newId });
  const meetings = new ConsoleMeetings(clock, parts.consoleLimits ?? CONSOLE_LIMITS);
  const images = createImagePlane(parts.images ?? createMemoryImageSettings(), {
    store,
    clock,
    random,
    logger,
    newId,
  });
  const reading = readingStore(store, clock);
  registerRoutes(
    app,
    { ...parts, store: reading },
    { newId, jobs, wakes, link, tickets, secrets, images, feed, webhooks, access },
  );
  consoleSockets(createUpgrades(app), {
    ...{ clock, logger, newId, store, tickets, meetings },
    opening: new ConsoleOpening({ store, clock, wakes }),
    acceptor: createWebSocketAcceptor(clock),
    internalToken: parts.internalToken,
    selfUrl: parts.selfUrl ?? (() => ''),
  });
  const ending = new AbortController();
  let sweeping: Promise<void> = Promise.resolve();
  return {
    app,
    async start() {
      await queue.start(handle);
      images.worker.start();
      feed.start();
      sweeping = sweepForEver(jobs, clock, ending.signal);
    },
    async close() {
      ending.abort();
      meetings.close();
      wakes.close();
      await Promise.all([sweeping, images.worker.close(), feed.close(), access.close()]);
      await webhooks.deliverer.close();
    },
  };
}

interface Services {
  readonly newId: ReturnType<typeof createIdGenerator>;
  readonly jobs: JobDispatcher;
  readonly wakes: WakeHub;
  readonly link: LinkService;
  readonly tickets: ConsoleTickets;
  readonly secrets: SecretBox;
  readonly images: ImagePlane;
  readonly feed: EventFeed;
  readonly webhooks: WebhookPlane;
  readonly access: AccessPlane;
}

function registerRoutes(app: FastifyInstance, parts: ApiServerParts, services: Services): void {
  const { clock, random, store, internalToken, subnetCidr } = parts;
  const { newId, jobs, wakes, link, tickets, secrets, images, feed, webhooks, access } = services;
  const use = new MetricsService(store, clock);
  const conformance = new ConformanceService({ store, clock, logger: parts.logger });
  const operations = new OperationService({ store, clock, newId, wakes, secrets });
  app.register(async (api) => {
    requireInternalToken(api, internalToken);
    requirePrincipal(api);
    auditCalls(api, new AuditLog(store.audit), clock);
    enforceAccess(api);
    installEtags(api);
    const batches = new BatchService({
      ...{ store, clock, newId, jobs, wakes, secrets },
      ...{ images: images.service, defaultCidr: subnetCidr },
    });
    const holds = new HoldService({ store, batches, clock, newId });
    batchRoutes(api, batches, holds);
    holdRoutes(api, holds);
    vmRoutes(api, {
      vms: new VmService({ store, clock, jobs, images: images.service }),
      operations,
    });
    consoleRoutes(api, tickets);
    metricsRoutes(api, use, operations);
    const onBatches = new BatchOperationService({ store, clock, newId, jobs, secrets });
    operationRoutes(api, { operations, batches: onBatches });
    batchOperationRoutes(api, onBatches);
    manyRoutes(api, onBatches);
    orphanRoutes(api, new OrphanService(store));
    invariantRoutes(api, { store, clock });
    subnetRoutes(api, new SubnetService({ store, clock, newId }));
    replicaRoutes(api, { replication: images.replication, store });
    imageRoutes(api, { images: images.service, uploads: images.uploads });
    const volumes = new VolumeService({ store, clock, newId });
    volumeRoutes(api, volumes);
    vmVolumeRoutes(api, volumes);
    eventRoutes(api, { feed, clock });
    webhookRoutes(api, webhooks.service);
    auditRoutes(api, store.audit);
    policyRoutes(api, { store, clock, newId });
    usageRoutes(api, new UsageService(store, clock));
    clusterRoutes(api, new FleetService({ store, clock }));
    conformanceRoutes(api, conformance);
    tokenRoutes(api, new TokenService({ store, clock, random, newId }));
    hostRoutes(api, store);
    flavorRoutes(api, store.flavors);
    quotaRoutes(api, new QuotaService(store));
    access.publicRoutes(api);
  });
  app.register(async (internal) => {
    requireInternalToken(internal, internalToken);
    access.internalRoutes(internal);
    ucloudRoutes(internal, { clock, random });
    bootstrapRoutes(internal, { store, clock, random, newId, secrets, subnetCidr });
  });
  app.register(async (outer) =>
    linkRoutes(outer, { link, images: images.link, clock, use, conformance }),
  );
}

async function sweepForEver(jobs: JobDispatcher, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await jobs.dispatch({ kind: 'sweep' });
    // The only way to be woken early is to be told to end.
    await sleep(clock, SWEEP_INTERVAL_MS, signal).catch(() => undefined);
  }
}

async function readyReport(store: ApiStore, clock: Clock) {
  try {
    await withDeadline(clock, 'the database', PING_TIMEOUT_MS, () => store.ping());
    return { ready: true, reasons: [] };
  } catch {
    return { ready: false, reasons: ['the database does not answer'] };
  }
}
