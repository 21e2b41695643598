import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addFilesRoutes } from '../../files/endpoints.ts';
import { checkEndpointAccess } from '../../http/endpoint-access.ts';
import { queryOf, sendJson } from '../../http/json-answer.ts';
import { MesosHttpError } from '../../http/mesos-http.ts';
import { addLoggingRoutes } from '../../logging-endpoint.ts';
import { checkTimeout, systemStats } from '../../system-metrics.ts';
import { VERSION_INFO } from '../../version-info.ts';
import type { MasterCore } from '../core.ts';
import { masterFigures } from '../metrics/figures.ts';
import { visibilityOf } from '../visibility.ts';
import { olderSlaves } from './older-agents.ts';
import { olderFrameworks } from './older-frameworks.ts';
import { olderRoles } from './older-roles.ts';
import { olderState, olderSummary } from './older-state.ts';
import { olderTasks, readTaskQuery } from './older-tasks.ts';
import { type ClusterSnapshot, takeSnapshot } from './snapshot.ts';

/** Each endpoint is there twice. */
const PREFIXES = ['', '/master'];

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
  addLoggingRoutes(app, core, PREFIXES);
  addFilesRoutes(app, core.filesApi, PREFIXES);
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/health`, async (_request, reply) => reply.status(200).send());
    app.get(`${prefix}/redirect`, async (request, reply) => redirect(core, request, reply));
    for (const [path, answer] of Object.entries(answers)) {
      app.get(`${prefix}/${path}`, (request, reply) =>
        sendJson(request, reply, core.clock, answer(asked(core, request))),
      );
    }
  }
}

function endpoints(core: MasterCore): Endpoints {
  const { authorizer, clock } = core;
  const flags = (principal: string | undefined) =>
    authorizer.allows('view_flags', principal) ? core.flags : undefined;
  return {
    version: () => VERSION_INFO,
    state: ({ snapshot, principal }) => olderState(core, snapshot(), flags(principal)),
    'state.json': ({ snapshot, principal }) => olderState(core, snapshot(), flags(principal)),
    'state-summary': ({ snapshot, principal }) => olderSummary(core, snapshot(), flags(principal)),
    slaves: ({ snapshot, query }) => olderSlaves(snapshot(), query.get('slave_id')),
    frameworks: ({ snapshot, query }) => olderFrameworks(snapshot(), query.get('framework_id')),
    tasks: ({ snapshot, query }) => olderTasks(snapshot(), readTaskQuery(query)),
    'tasks.json': ({ snapshot, query }) => olderTasks(snapshot(), readTaskQuery(query)),
    roles: ({ snapshot, principal }) =>
      olderRoles(core, snapshot(), visibilityOf(authorizer, principal)),
    flags: ({ principal }) => {
      const visible = flags(principal);
      if (visible === undefined) throw new MesosHttpError(403, '403 Forbidden.');
      return { flags: visible };
    },
    'metrics/snapshot': ({ query, principal }) => {
      checkEndpointAccess(authorizer, '/metrics/snapshot', principal);
      checkTimeout(query.get('timeout'));
      return masterFigures(core);
    },
    'system/stats.json': () => systemStats(clock),
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
