import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiAnswer, ApiCall, ApiHandler } from './api-call.ts';
import { bodyOf } from './mesos-http.ts';
import { readableBody } from './readable-body.ts';
import type { Turns } from './turns.ts';

/** Serves an API that is nothing but POSTs to one path; for callers that are not in the lane. */
export function addApiRoute(
  app: FastifyInstance,
  path: string,
  turns: Turns,
  handler: ApiHandler,
): void {
  app.post(path, (request, reply) =>
    turns.run(async () => sendAnswer(reply, await handler(callOf(request)))),
  );
}

function callOf(request: FastifyRequest): ApiCall {
  const { headers } = request;
  const streamId = headers['mesos-stream-id'];
  return {
    head: {
      contentType: headers['content-type'],
      accept: headers.accept,
      streamId: Array.isArray(streamId) ? streamId.join(', ') : streamId,
    },
    body: bodyOf(request),
    caller: request.caller,
    ip: () => request.ip.replace(/^::ffff:/, ''),
  };
}

/** Sends the answer to a call. */
export function sendAnswer(reply: FastifyReply, answer: ApiAnswer): FastifyReply {
  if (answer.type === 'empty') return reply.status(answer.status).send();
  return reply
    .header('mesos-stream-id', answer.id)
    .header('content-type', answer.contentType)
    .send(readableBody(answer.body));
}
