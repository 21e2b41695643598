import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Clock } from '../clock.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Monotonic; not a number before the hooks have run. */
    arrivedMs: number;
  }
}

/** Seconds; from a cached answer to a long poll. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Gives the app a registry of its own (`app.metricsRegistry`), measures every request by route, and
 * serves `GET /metrics` with the process's metrics added.
 */
export function installMetrics(app: FastifyInstance, clock: Clock): void {
  const registry = new Registry();
  app.decorate('metricsRegistry', registry);
  const duration = new Histogram({
    name: 'factory_http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  });
  app.decorateRequest('arrivedMs', Number.NaN);
  app.addHook('onRequest', (request, _reply, done) => {
    request.arrivedMs = clock.monotonicMs();
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    done();
    const { arrivedMs } = request;
    if (Number.isNaN(arrivedMs)) return;
    // Paths nobody serves share one label, so that a scanner can't make new series.
    const route = request.routeOptions.url ?? 'unknown';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    duration.observe(labels, (clock.monotonicMs() - arrivedMs) / 1000);
  });
  app.get('/metrics', async (_request, reply) => {
    const all = Registry.merge([processRegistry(), registry]);
    return reply.type(all.contentType).send(await all.metrics());
  });
}

let shared: Registry | undefined;

/**
 * Memory, CPU, event loop and garbage collection of this process. Shared by the apps in it, and
 * made at the first scrape: a simulation with hundreds of apps must not have hundreds of observers.
 */
function processRegistry(): Registry {
  if (shared === undefined) {
    shared = new Registry();
    collectDefaultMetrics({ register: shared });
  }
  return shared;
}
