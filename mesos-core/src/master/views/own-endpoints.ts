import type { Clock } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { addFilesRoutes, type FilesApi } from '../../files/endpoints.ts';
import { VirtualFiles } from '../../files/virtual-files.ts';
import { sendJson } from '../../http/json-answer.ts';
import { MesosHttpError } from '../../http/mesos-http.ts';
import { addLoggingRoutes } from '../../logging-endpoint.ts';
import type { LoggingLevel } from '../../logging-level.ts';
import type { Authorizer } from '../../security/index.ts';
import { systemStats } from '../../system-metrics.ts';
import { VERSION_INFO } from '../../version-info.ts';
import { PREFIXES } from '../prefixes.ts';

/** What a master process tells of itself, whoever leads. */
export interface OwnViews {
  readonly clock: Clock;
  readonly authorizer: Authorizer;
  /** As operators see them. */
  readonly flags: Readonly<Record<string, string>>;
  readonly logging: LoggingLevel;
  readonly filesApi: FilesApi;
}

/** The files of a master: none, as what it says goes to its standard error. */
export function masterFilesApi(clock: Clock, authorizer: Authorizer): FilesApi {
  return {
    ...{ clock, authorizer, files: new VirtualFiles(() => []) },
    allows: (principal) => authorizer.allows('access_mesos_logs', principal),
  };
}

/** Adds what every master answers itself, as Mesos does: the leader, and those that stand by. */
export function addOwnRoutes(app: FastifyInstance, own: OwnViews): void {
  const { clock } = own;
  addLoggingRoutes(app, own, PREFIXES);
  addFilesRoutes(app, own.filesApi, PREFIXES);
  for (const prefix of PREFIXES) {
    app.get(`${prefix}/health`, async (_request, reply) => reply.status(200).send());
    app.get(`${prefix}/version`, (request, reply) => sendJson(request, reply, clock, VERSION_INFO));
    app.get(`${prefix}/flags`, (request, reply) => {
      const flags = visibleFlags(own, request.caller?.value);
      if (flags === undefined) throw new MesosHttpError(403, '403 Forbidden.');
      return sendJson(request, reply, clock, { flags });
    });
    app.get(`${prefix}/system/stats.json`, (request, reply) =>
      sendJson(request, reply, clock, systemStats(clock)),
    );
  }
}

/** The flags; `undefined` for those who may not see them. */
export function visibleFlags(
  { authorizer, flags }: Pick<OwnViews, 'authorizer' | 'flags'>,
  principal: string | undefined,
): Readonly<Record<string, string>> | undefined {
  return authorizer.allows('view_flags', principal) ? flags : undefined;
}
