import {
  type Clock,
  createHttpApp,
  type Logger,
  type Random,
  type ServerTls,
} from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hostAndPort, type Leader } from '../election/index.ts';
import { checkEndpointAccess } from '../http/endpoint-access.ts';
import { queryOf, sendJson } from '../http/json-answer.ts';
import { addMesosRoutes } from '../http/mesos-http.ts';
import { guardApp, masterRealm, type Security } from '../security/index.ts';
import { checkTimeout, systemMetrics } from '../system-metrics.ts';
import type { Master } from './index.ts';
import { PREFIXES } from './prefixes.ts';
import { addOwnRoutes, masterFilesApi, type OwnViews } from './views/own-endpoints.ts';

export interface StandbyOptions extends Pick<OwnViews, 'flags' | 'logging'> {
  readonly security: Security;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly leader: () => LeaderView;
  /** The port that is opened speaks TLS. */
  readonly tls?: ServerTls | undefined;
}

/** What a master that does not lead (yet) knows of who does. */
export type LeaderView =
  | { readonly type: 'nobody' }
  /** This master, which is reading its registry. */
  | { readonly type: 'this' }
  | { readonly type: 'another'; readonly leader: Leader };

const REDIRECT_PATH = /^\/(master\/)?redirect$/;

/**
 * The HTTP API of a master that does not lead: what is about this process it answers itself; else it
 * sends everybody to the leader with 307, and answers 503 while nobody leads (Master::Http::redirect
 * in Mesos' src/master/http.cpp).
 */
export function createStandbyApp(options: StandbyOptions): FastifyInstance {
  const { clock, random, logger, leader, tls, security } = options;
  const { authenticators, authorizer } = security;
  const app = createHttpApp({
    ...{ service: 'mesos-master', clock, random, logger, tls },
    isReady: () => readiness(leader()),
  });
  // Before the body is read, and before anybody is asked who calls: that is the leader's business.
  app.addHook('onRequest', async (request, reply) => {
    const { url: route = UNKNOWN } = request.routeOptions;
    return route === UNKNOWN ? answer(leader(), request, reply) : undefined;
  });
  guardApp(app, { clock, authenticators, realmOf: masterRealm });
  const filesApi = masterFilesApi(clock, authorizer);
  addMesosRoutes(app, (scope) => {
    addOwnRoutes(scope, { ...options, authorizer, filesApi });
    addMetricsRoutes(scope, options);
  });
  return app;
}

/** The route of all paths that have none of their own. */
const UNKNOWN = '/*';

function addMetricsRoutes(app: FastifyInstance, { clock, security }: StandbyOptions): void {
  const startedMs = clock.monotonicMs();
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/metrics/snapshot`, (request, reply) => {
      checkEndpointAccess(security.authorizer, '/metrics/snapshot', request.caller?.value);
      checkTimeout(queryOf(request).get('timeout'));
      return sendJson(request, reply, clock, {
        'master/elected': 0,
        'master/uptime_secs': (clock.monotonicMs() - startedMs) / 1000,
        ...systemMetrics(),
      });
    });
  }
}

function answer(leader: LeaderView, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  switch (leader.type) {
    case 'nobody':
      return unavailable(reply, 'No leader elected');
    case 'this':
      return unavailable(reply, 'Master has not finished recovery');
    case 'another': {
      // Without a scheme the caller keeps its own. `/redirect` itself would lead back and forth.
      const { info, scheme } = leader.leader;
      const [path = ''] = request.url.split('?', 1);
      const rest = REDIRECT_PATH.test(path) ? '' : request.url;
      const location = `${scheme === 'https' ? 'https:' : ''}//${hostAndPort(info)}${rest}`;
      return reply.status(307).header('location', location).send();
    }
  }
}

function unavailable(reply: FastifyReply, why: string): FastifyReply {
  return reply.status(503).type('text/plain; charset=utf-8').send(why);
}

function readiness(leader: LeaderView): { ready: boolean; reasons: readonly string[] } {
  switch (leader.type) {
    case 'nobody':
      return { ready: false, reasons: ['no master leads'] };
    case 'this':
      return { ready: false, reasons: ['this master was elected and reads its registry'] };
    case 'another':
      return { ready: true, reasons: [] };
  }
}

/**
 * Has `to` answer what comes to the port that `from` opened: all of it from now on, at no cost for
 * each request.
 */
export async function handOver(
  from: FastifyInstance,
  to: Pick<Master, 'app' | 'lane'>,
): Promise<void> {
  await to.app.ready();
  from.server.removeAllListeners('request');
  from.server.on('request', to.app.routing);
  to.lane.attach(from.server);
}
