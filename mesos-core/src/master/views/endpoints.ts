import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkEndpointAccess } from '../../http/endpoint-access.ts';
import { queryOf, sendJson } from '../../http/json-answer.ts';
import { LazyObject } from '../../protocol/index.ts';
import { checkTimeout } from '../../system-metrics.ts';
import type { MasterCore } from '../core.ts';
import { masterFigures } from '../metrics/figures.ts';
import { PREFIXES } from '../prefixes.ts';
import { visibilityOf } from '../visibility.ts';
import { olderSlaves } from './older-agents.ts';
import { olderFrameworks } from './older-frameworks.ts';
import { olderRoles } from './older-roles.ts';
import { olderState, olderSummary } from './older-state.ts';
import { olderTasks, readTaskQuery } from './older-tasks.ts';
import { addOwnRoutes, visibleFlags } from './own-endpoints.ts';
import { type ClusterSnapshot, takeSnapshot } from './snapshot.ts';

interface Asked {
  readonly query: URLSearchParams;
  /** The caller's name, where that is known. */
  readonly principal: string | undefined;
  /** What the caller may see. */
  readonly snapshot: () => ClusterSnapshot;
}

/** Answers to GET by path; each is there twice, with and without `/master`. */
type Endpoints = Readonly<Record<string, (asked: Asked) => unknown>>;

/** Adds the older endpoints that only read: those of tools and of Mesos' web pages. */
export function addViewRoutes(app: FastifyInstance, core: MasterCore): void {
  const answers = endpoints(core);
  addOwnRoutes(app, core);
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/redirect`, async (request, reply) => redirect(core, request, reply));
    for (const [path, answer] of Object.entries(answers)) {
      app.get(`${prefix}/${path}`, (request, reply) =>
        sendJson(request, reply, core.clock, answer(asked(core, request))),
      );
    }
  }
}

function endpoints(core: MasterCore): Endpoints {
  const { authorizer } = core;
  const flags = (principal: string | undefined) => visibleFlags(core, principal);
  return {
    state: ({ snapshot, principal }) => olderState(core, snapshot(), flags(principal)),
    'state.json': ({ snapshot, principal }) => olderState(core, snapshot(), flags(principal)),
    'state-summary': ({ snapshot, principal }) => olderSummary(core, snapshot(), flags(principal)),
    slaves: ({ snapshot, query }) => olderSlaves(snapshot(), query.get('slave_id')),
    frameworks: ({ snapshot, query }) => olderFrameworks(snapshot(), query.get('framework_id')),
    tasks: ({ snapshot, query }) => olderTasks(snapshot(), readTaskQuery(query)),
    'tasks.json': ({ snapshot, query }) => olderTasks(snapshot(), readTaskQuery(query)),
    roles: ({ snapshot, principal }) =>
      olderRoles(core, snapshot(), visibilityOf(authorizer, principal)),
    'metrics/snapshot': ({ query, principal }) => {
      checkEndpointAccess(authorizer, '/metrics/snapshot', principal);
      checkTimeout(query.get('timeout'));
      return new LazyObject(() => masterFigures(core));
    },
  };
}

function asked(core: MasterCore, request: FastifyRequest): Asked {
  const principal = request.caller?.value;
  return {
    query: queryOf(request),
    principal,
    snapshot: () => takeSnapshot(core, visibilityOf(core.authorizer, principal)),
  };
}

/** To the leader, which is this master: a standby answers for itself. */
function redirect(
  { address: { hostname, port } }: MasterCore,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const scheme = request.protocol === 'https' ? 'https:' : '';
  return reply.status(307).header('location', `${scheme}//${hostname}:${port}`).send();
}
