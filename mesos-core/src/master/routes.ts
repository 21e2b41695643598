import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addMesosRoutes, bodyOf, MesosHttpError } from '../http/mesos-http.ts';
import { sendPieces } from '../http/sliced-answer.ts';
import { Turns } from '../http/turns.ts';
import {
  AGENT_API_PATH,
  decodeMessage,
  encodePieces,
  LazyMessage,
  MEDIA_TYPES,
  requestEncoding,
  responseEncoding,
  type SchedulerCall,
  validateSchedulerCall,
} from '../protocol/index.ts';
import { decodeAgentCall } from './agent-call.ts';
import type { Agents } from './agents.ts';
import {
  checkAgent,
  checkFrameworkPrincipal,
  checkOperatorCall,
  withPrincipal,
} from './authorization.ts';
import type { MasterCore } from './core.ts';
import type { EventStream } from './event-stream.ts';
import type { Frameworks } from './frameworks.ts';
import { addMaintenanceRoutes } from './maintenance/endpoints.ts';
import { addOperationRoutes, isOperationCall } from './operations/operator-calls.ts';
import type { OperatorApi } from './operator-api.ts';
import { PREFIXES } from './prefixes.ts';
import { addQuotaRoutes } from './quota/endpoints.ts';
import type { SchedulerCalls } from './scheduler-calls.ts';
import { addTeardownRoutes } from './teardown.ts';
import { addViewRoutes } from './views/endpoints.ts';
import { visibilityOf, withoutHiddenRoles } from './visibility.ts';
import { addWeightsRoutes } from './weights/endpoints.ts';

export interface MasterParts {
  readonly core: MasterCore;
  readonly frameworks: Frameworks;
  readonly schedulerCalls: SchedulerCalls;
  readonly agents: Agents;
  readonly operator: OperatorApi;
}

/** All of the master's HTTP API. */
export function registerMasterRoutes(app: FastifyInstance, parts: MasterParts): void {
  // Of frameworks and agents there are thousands: nobody else waits for what they ask together.
  const turns = new Turns(parts.core.clock);
  addMesosRoutes(app, (scope) => {
    registerSchedulerApi(scope, parts, turns);
    registerAgentApi(scope, parts, turns);
    registerOperatorApi(scope, parts);
  });
}

function registerSchedulerApi(app: FastifyInstance, parts: MasterParts, turns: Turns): void {
  for (const prefix of PREFIXES) {
    const path = `${prefix}/api/v1/scheduler`;
    refuseOtherMethods(app, path);
    app.post(path, (request, reply) => turns.run(() => answerSchedulerCall(parts, request, reply)));
  }
}

async function answerSchedulerCall(
  parts: MasterParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const encoding = requestEncoding(request.headers['content-type']);
  const call = decodeMessage('scheduler.Call', encoding, bodyOf(request));
  validateSchedulerCall(call);
  const { metrics, state } = parts.core;
  if (call.type === 'SUBSCRIBE') return subscribeScheduler(parts, call, request, reply);
  const framework = state.frameworks.get(call.framework_id?.value ?? '');
  if (framework === undefined) throw new MesosHttpError(400, 'Framework cannot be found');
  checkFrameworkPrincipal(framework, call, request.caller);
  checkStreamId(framework.id, framework.stream?.id, request);
  metrics.onCall(framework.id, call, (offerId) => state.offers.has(offerId));
  switch (call.type) {
    case 'TEARDOWN':
      await parts.frameworks.remove(framework);
      break;
    case 'UPDATE_FRAMEWORK': {
      const problem = await parts.frameworks.update(framework, call.update_framework);
      if (problem !== undefined) throw new MesosHttpError(400, problem);
      return reply.status(200).send();
    }
    default:
      parts.schedulerCalls.handle(framework, call);
  }
  return reply.status(202).send();
}

async function subscribeScheduler(
  { frameworks }: MasterParts,
  call: Extract<SchedulerCall, { type: 'SUBSCRIBE' }>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.headers['mesos-stream-id'] !== undefined) {
    const message = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
    throw new MesosHttpError(400, message);
  }
  const accept = responseEncoding(request.headers.accept);
  const { suppressed_roles = [], offer_constraints } = call.subscribe;
  const framework_info = withPrincipal(call.subscribe.framework_info, request.caller);
  const stream = await frameworks.subscribe(
    framework_info,
    suppressed_roles,
    accept,
    offer_constraints,
  );
  return sendStream(reply, stream, MEDIA_TYPES[accept]);
}

function sendStream(
  reply: FastifyReply,
  stream: Pick<EventStream<never>, 'id' | 'body'>,
  contentType: string,
): FastifyReply {
  return reply
    .header('mesos-stream-id', stream.id)
    .header('content-type', contentType)
    .send(stream.body);
}

function checkStreamId(
  frameworkId: string,
  current: string | undefined,
  request: FastifyRequest,
): void {
  const given = request.headers['mesos-stream-id'];
  if (current === undefined) throw new MesosHttpError(403, 'Framework is not subscribed');
  if (given === undefined) {
    const message = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
    throw new MesosHttpError(400, message);
  }
  if (given === current) return;
  throw new MesosHttpError(
    400,
    `The stream ID '${given}' included in this request didn't match the stream ID currently ` +
      `associated with framework ID ${frameworkId}`,
  );
}

function registerAgentApi(app: FastifyInstance, { core, agents }: MasterParts, turns: Turns): void {
  app.post(AGENT_API_PATH, (request, reply) =>
    turns.run(async () => {
      const call = decodeAgentCall(bodyOf(request));
      if (call.type === 'SUBSCRIBE') {
        checkAgent(core.authorizer, request.caller, call.subscribe);
        const stream = await agents.subscribe(call.subscribe, request.ip.replace(/^::ffff:/, ''));
        return sendStream(reply, stream, MEDIA_TYPES.json);
      }
      if (!agents.handle(call)) throw new MesosHttpError(403, 'Agent is not subscribed');
      return reply.status(202).send();
    }),
  );
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
    const stream = core.events.subscribe(core, accept, visibility);
    return sendStream(reply, stream, MEDIA_TYPES[accept]);
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
