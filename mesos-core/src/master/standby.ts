import {
  type Clock,
  createHttpApp,
  type Logger,
  type Random,
  type ServerTls,
} from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hostAndPort, type Leader } from '../election/index.ts';
import { MESOS_VERSION } from './settings.ts';

export interface StandbyOptions {
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

/** What a standby answers by itself, as Mesos does; all else is the leader's. */
const LOCAL_PATHS =
  /^\/(health(\/live|\/ready)?|metrics|(master\/)?(health|version)|metrics\/snapshot)$/;
const REDIRECT_PATH = /^\/(master\/)?redirect$/;

/**
 * The HTTP API of a master that does not lead: it sends everybody to the leader with 307, and answers
 * 503 while nobody leads (Master::Http::redirect in Mesos' src/master/http.cpp).
 */
export function createStandbyApp({
  clock,
  random,
  logger,
  leader,
  tls,
}: StandbyOptions): FastifyInstance {
  const app = createHttpApp({
    ...{ service: 'mesos-master', clock, random, logger, tls },
    isReady: () => readiness(leader()),
  });
  const startedMs = clock.monotonicMs();
  // Before the body is read: it is the leader that has to understand it.
  app.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    if (LOCAL_PATHS.test(path)) return;
    return answer(leader(), path, request, reply);
  });
  for (const prefix of ['', '/master']) {
    app.get(`${prefix}/health`, async (_request, reply) => reply.status(200).send());
    app.get(`${prefix}/version`, async () => ({ version: MESOS_VERSION }));
  }
  app.get('/metrics/snapshot', async () => ({
    'master/elected': 0,
    'master/uptime_secs': (clock.monotonicMs() - startedMs) / 1000,
  }));
  return app;
}

function answer(
  leader: LeaderView,
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  switch (leader.type) {
    case 'nobody':
      return unavailable(reply, 'No leader elected');
    case 'this':
      return unavailable(reply, 'Master has not finished recovery');
    case 'another': {
      // Without a scheme the caller keeps its own. `/redirect` itself would lead back and forth.
      const { info, scheme } = leader.leader;
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
export async function handOver(from: FastifyInstance, to: FastifyInstance): Promise<void> {
  await to.ready();
  from.server.removeAllListeners('request');
  from.server.on('request', to.routing);
}
