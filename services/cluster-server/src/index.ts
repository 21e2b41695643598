import type { VmSample } from '@factory/contracts';
import { createHttpApp, createUpgrades } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { ClusterServer, type ClusterServerOptions } from './cluster-server.ts';
import { createTotals } from './metrics/totals.ts';

export type { ClusterServerOptions } from './cluster-server.ts';
export { createMemoryImageShelf, simulatedImage } from './images/shelf.ts';
export { LinkClient } from './link/link-client.ts';
export { createGoneMarker, createHostReader, hostsOf } from './picture/hosts.ts';
export { VmSchedulerClient } from './picture/scheduler-client.ts';
export { type ClusterStore, createMemoryStore, createPostgresStore } from './store.ts';

export interface ClusterServerService {
  readonly app: FastifyInstance;
  start(): void;
  close(): Promise<void>;
}

/** The cluster-server on the given ports; `main.ts` wires the real ones, simulations theirs. */
export function createClusterServer(options: ClusterServerOptions): ClusterServerService {
  // The app exists before anything is told.
  let count: (samples: readonly VmSample[]) => void = () => undefined;
  const server = new ClusterServer({ ...options, onUse: (samples) => count(samples) });
  const app = createHttpApp({
    service: 'cluster-server',
    clock: options.clock,
    logger: options.logger,
    random: options.random,
    isReady: () => {
      const reasons =
        server.lastAnswerAtMs === undefined
          ? ['the api-server has not answered yet']
          : server.hasToldCapacity
            ? []
            : ['the api-server has not been told yet which hosts and images there are'];
      return { ready: reasons.length === 0, reasons };
    },
  });
  count = createTotals(app.metricsRegistry);
  server.takeConsoles(createUpgrades(app));
  app.get('/v1/picture', async () => server.picture());
  return { app, start: () => server.start(), close: () => server.close() };
}
