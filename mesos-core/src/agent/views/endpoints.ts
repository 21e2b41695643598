import type { FastifyInstance } from 'fastify';
import { addFilesRoutes, type FilesApi } from '../../files/endpoints.ts';
import { VirtualFiles } from '../../files/virtual-files.ts';
import { checkEndpointAccess } from '../../http/endpoint-access.ts';
import { queryOf, sendJson } from '../../http/json-answer.ts';
import { MesosHttpError } from '../../http/mesos-http.ts';
import { addLoggingRoutes } from '../../logging-endpoint.ts';
import type { LoggingLevel } from '../../logging-level.ts';
import type { Resources } from '../../protocol/index.ts';
import { checkTimeout, systemStats } from '../../system-metrics.ts';
import { VERSION_INFO } from '../../version-info.ts';
import { getContainers, monitorStatistics } from '../container-api/container-statistics.ts';
import type { AgentContext } from '../context.ts';
import { PREFIXES } from '../prefixes.ts';
import { allRuns } from '../views.ts';
import { visibilityOf } from '../visibility.ts';
import { attachedSandboxes } from './attached-files.ts';
import { olderAgentState } from './older-state.ts';

/** What operators are shown beside what the agent runs. */
export interface AgentViews {
  readonly startedAtMs: number;
  readonly flags: Readonly<Record<string, string>>;
  readonly logging: LoggingLevel;
  readonly filesApi: FilesApi;
  /** Reservations and volumes included. */
  readonly total: () => Resources;
}

/** @param flags as operators see them. */
export function createAgentViews(
  { clock, state, security: { authorizer } }: AgentContext,
  logging: LoggingLevel,
  flags: Readonly<Record<string, string>>,
  total: () => Resources,
): AgentViews {
  const filesApi: FilesApi = {
    clock,
    files: new VirtualFiles(() => attachedSandboxes(state)),
    authorizer,
    allows: (principal, { user }) => authorizer.allows('access_sandboxes', principal, user),
  };
  return { startedAtMs: clock.nowMs(), flags, logging, filesApi, total };
}

/** Adds the older endpoints that only read: those of tools and of Mesos' web pages. */
export function addAgentViewRoutes(
  app: FastifyInstance,
  context: AgentContext,
  views: AgentViews,
  own: {
    readonly master: () => string | undefined;
    readonly metrics: () => Readonly<Record<string, number>>;
  },
): void {
  const { clock } = context;
  const { authorizer } = context.security;
  const flagsFor = (principal: string | undefined) =>
    authorizer.allows('view_flags', principal) ? views.flags : undefined;
  const state: Answer = (_query, principal) => {
    const { startedAtMs, total } = views;
    const flags = flagsFor(principal);
    const visibility = visibilityOf(authorizer, principal, context.state);
    const facts = { startedAtMs, flags, total: total(), master: own.master(), visibility };
    return olderAgentState(context, facts);
  };
  const statistics =
    (path: '/monitor/statistics' | '/monitor/statistics.json'): Answer =>
    (_query, principal) => {
      checkEndpointAccess(authorizer, path, principal);
      return monitorStatistics(context);
    };
  const answers: Readonly<Record<string, Answer>> = {
    version: () => VERSION_INFO,
    state,
    'state.json': state,
    flags: (_query, principal) => {
      const flags = flagsFor(principal);
      if (flags === undefined) throw new MesosHttpError(403, '403 Forbidden.');
      return { flags };
    },
    containers: (_query, principal) => containers(context, principal),
    'monitor/statistics': statistics('/monitor/statistics'),
    'monitor/statistics.json': statistics('/monitor/statistics.json'),
    'metrics/snapshot': (query, principal) => {
      checkEndpointAccess(authorizer, '/metrics/snapshot', principal);
      checkTimeout(query.get('timeout'));
      return own.metrics();
    },
    'system/stats.json': () => systemStats(clock),
  };
  addLoggingRoutes(app, { logging: views.logging, authorizer }, PREFIXES);
  addFilesRoutes(app, views.filesApi, PREFIXES);
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/health`, async (_request, reply) => reply.status(200).send());
    for (const [path, answer] of Object.entries(answers)) {
      app.get(`${prefix}/${path}`, async (request, reply) => {
        const value = await answer(queryOf(request), request.caller?.value);
        return sendJson(request, reply, clock, value);
      });
    }
  }
}

type Answer = (query: URLSearchParams, principal: string | undefined) => unknown;

async function containers(context: AgentContext, principal: string | undefined) {
  const { authorizer } = context.security;
  checkEndpointAccess(authorizer, '/containers', principal);
  const visibility = visibilityOf(authorizer, principal, context.state);
  const { containers = [] } = await getContainers(context, visibility);
  const runs = new Map(allRuns(context.state).map((run) => [run.containerId, run]));
  return containers.map((each) => ({
    container_id: each.container_id.value,
    executor_id: each.executor_id?.value,
    executor_name: each.executor_name,
    framework_id: each.framework_id?.value,
    source: runs.get(each.container_id.value)?.info.source ?? each.executor_id?.value,
    status: each.container_status,
    statistics: each.resource_statistics,
  }));
}
