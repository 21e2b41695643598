import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import { sqlStatements } from '../postgres/statements.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts a request that was answered past the app, on its port. */
    noteRequest(method: string, route: string, status: number, durationMs: number): void;
  }
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
  const noteRequest = durationNotes(duration);
  app.decorate('noteRequest', noteRequest);
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
    noteRequest(request.method, route, reply.statusCode, clock.monotonicMs() - arrivedMs);
  });
  app.get('/metrics', async (_request, reply) => {
    const all = Registry.merge([processRegistry(), registry]);
    return reply.type(all.contentType).send(await all.metrics());
  });
}

/** Finds a series by its labels once: prom-client sorts and joins them at every observation. */
function durationNotes(duration: Histogram): FastifyInstance['noteRequest'] {
  const series = new Map<string, Histogram.Internal<string>>();
  return (method, route, status, durationMs) => {
    const key = `${method} ${status} ${route}`;
    let observed = series.get(key);
    if (observed === undefined) {
      observed = duration.labels({ method, route, status: String(status) });
      series.set(key, observed);
    }
    observed.observe(durationMs / 1000);
  };
}

let shared: Registry | undefined;

/**
 * Memory, CPU, event loop, garbage collection and SQL statements of this process. Shared by the apps in it, and
 * made at the first scrape: a simulation with hundreds of apps must not have hundreds of observers.
 */
function processRegistry(): Registry {
  if (shared === undefined) {
    shared = new Registry();
    collectDefaultMetrics({ register: shared });
    shared.registerMetric(sqlStatements);
  }
  return shared;
}
