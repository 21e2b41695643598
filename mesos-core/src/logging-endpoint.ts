import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkEndpointAccess } from './http/endpoint-access.ts';
import { queryOf } from './http/json-answer.ts';
import { MesosHttpError } from './http/mesos-http.ts';
import type { LoggingLevel } from './logging-level.ts';
import type { Authorizer } from './security/index.ts';

/** Mesos' `/logging/toggle`, below each of the prefixes: changes the logging level, or tells it. */
export function addLoggingRoutes(
  app: FastifyInstance,
  { logging, authorizer }: { readonly logging: LoggingLevel; readonly authorizer: Authorizer },
  prefixes: readonly string[],
): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    checkEndpointAccess(authorizer, '/logging/toggle', request.caller?.value);
    const query = queryOf(request);
    const isChange = query.has('level') || query.has('duration');
    if (isChange && !authorizer.allows('set_log_level', request.caller?.value)) {
      throw new MesosHttpError(403, '403 Forbidden.');
    }
    logging.toggle(query);
    return reply.type('text/plain; charset=utf-8').send(isChange ? '' : `${logging.level}\n`);
  };
  for (const prefix of prefixes) {
    for (const method of ['GET', 'POST'] as const) {
      app.route({ method, url: `${prefix}/logging/toggle`, handler });
    }
  }
}
