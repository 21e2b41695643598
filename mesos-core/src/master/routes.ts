import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiHandler } from '../http/api-call.ts';
import { addApiRoute, sendAnswer } from '../http/fastify-api.ts';
import { addMesosRoutes, bodyOf } from '../http/mesos-http.ts';
import { sendPieces } from '../http/sliced-answer.ts';
import type { Turns } from '../http/turns.ts';
import {
  AGENT_API_PATH,
  decodeMessage,
  encodePieces,
  LazyMessage,
  MEDIA_TYPES,
  requestEncoding,
  responseEncoding,
} from '../protocol/index.ts';
import { type AgentApiParts, answerAgentCall } from './agent-api.ts';
import { checkOperatorCall } from './authorization.ts';
import { addMaintenanceRoutes } from './maintenance/endpoints.ts';
import { addOperationRoutes, isOperationCall } from './operations/operator-calls.ts';
import type { OperatorApi } from './operator-api.ts';
import { PREFIXES } from './prefixes.ts';
import { addQuotaRoutes } from './quota/endpoints.ts';
import { answerSchedulerCall, type SchedulerApiParts } from './scheduler-api.ts';
import { addTeardownRoutes } from './teardown.ts';
import { addViewRoutes } from './views/endpoints.ts';
import { visibilityOf, withoutHiddenRoles } from './visibility.ts';
import { addWeightsRoutes } from './weights/endpoints.ts';

export interface MasterParts extends SchedulerApiParts, AgentApiParts {
  readonly operator: OperatorApi;
}

/** All of the master's HTTP API. */
export function registerMasterRoutes(app: FastifyInstance, parts: MasterParts, turns: Turns): void {
  addMesosRoutes(app, (scope) => {
    for (const [path, handler] of apiHandlers(parts)) {
      if (path !== AGENT_API_PATH) refuseOtherMethods(scope, path);
      addApiRoute(scope, path, turns, handler);
    }
    registerOperatorApi(scope, parts);
  });
}

/** The APIs that are asked most, by path: what the lane serves. */
export function apiHandlers(parts: MasterParts): ReadonlyMap<string, ApiHandler> {
  const scheduler: ApiHandler = (call) => answerSchedulerCall(parts, call);
  return new Map([
    ...PREFIXES.map((prefix) => [`${prefix}/api/v1/scheduler`, scheduler] as const),
    [AGENT_API_PATH, (call) => answerAgentCall(parts, call)],
  ]);
}

function registerOperatorApi(app: FastifyInstance, parts: MasterParts): void {
  const { core, operator, agents } = parts;
  for (const prefix of PREFIXES) {
    const path = `${prefix}/api/v1`;
    refuseOtherMethods(app, path);
    // As in Mesos, where a path belongs to the endpoint of its longest known prefix.
    refuseOtherMethods(app, `${path}/*`);
    app.post(path, (request, reply) => answerOperatorCall(parts, request, reply));
  }
  addOperationRoutes(app, core);
  addMaintenanceRoutes(app, core, agents.maintenance);
  addQuotaRoutes(app, core);
  addWeightsRoutes(app, core);
  addTeardownRoutes(app, core, operator);
  addViewRoutes(app, core);
}

async function answerOperatorCall(
  { core, operator }: MasterParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const encoding = requestEncoding(request.headers['content-type']);
  const call = decodeMessage('master.Call', encoding, bodyOf(request));
  const accept = responseEncoding(request.headers.accept);
  checkOperatorCall(core, call, request.caller);
  if (call.type === 'SUBSCRIBE') {
    const visibility = visibilityOf(core.authorizer, request.caller?.value);
    const body = core.events.subscribe(core, accept, visibility);
    const contentType = MEDIA_TYPES[accept];
    return sendAnswer(reply, { type: 'stream', id: body.id, contentType, body });
  }
  const response = await operator.handle(call, request.caller?.value);
  if (response === undefined) return reply.status(isOperationCall(call) ? 202 : 200).send();
  const message =
    response instanceof LazyMessage
      ? response
      : new LazyMessage({
          ...withoutHiddenRoles(core.authorizer, request.caller?.value, response),
        });
  reply.header('content-type', MEDIA_TYPES[accept]);
  return sendPieces(reply, core.clock, encodePieces('master.Response', accept, message));
}

function refuseOtherMethods(app: FastifyInstance, url: string): void {
  app.route({
    method: ['GET', 'PUT', 'DELETE', 'PATCH'],
    url,
    handler: async (request, reply) =>
      reply
        .status(405)
        .header('allow', 'POST')
        .type('text/plain; charset=utf-8')
        .send(
          `405 Method Not Allowed. Expecting one of { 'POST' }, but received '${request.method}'.`,
        ),
  });
}
