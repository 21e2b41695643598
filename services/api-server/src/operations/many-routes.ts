import { BatchOperationSchema, VmSelectionSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import { IdempotencyHeaders } from '../batches/schemas.ts';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { BatchOperationService, BatchOrder } from './batch-service.ts';

const onMany = {
  tags: ['vms'],
  headers: IdempotencyHeaders,
  body: VmSelectionSchema,
  response: answers(202, BatchOperationSchema),
};

interface OnMany {
  Headers: Static<typeof IdempotencyHeaders>;
  Body: Static<typeof VmSelectionSchema>;
}

/** `POST /v1/vms:<verb>`: one call for machines of any batches, each with a result of its own. */
export function manyRoutes(instance: FastifyInstance, service: BatchOperationService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const start = async (request: FastifyRequest<OnMany>, reply: FastifyReply, order: BatchOrder) => {
    const { projectId } = principalOf(request);
    const key = request.headers['idempotency-key'];
    const operation = await service.startOnMany(projectId, request.body, order, key);
    reply.status(202).header('location', `/v1/operations/${operation.id}`);
    return operation;
  };
  app.post(
    '/v1/vms::start',
    { schema: { ...onMany, operationId: 'startVms', summary: 'Start machines that are off' } },
    (request, reply) => start(request, reply, { kind: 'start' }),
  );
  app.post(
    '/v1/vms::stop',
    { schema: { ...onMany, operationId: 'stopVms', summary: 'Power machines off' } },
    (request, reply) => start(request, reply, { kind: 'stop' }),
  );
  app.post(
    '/v1/vms::suspend',
    { schema: { ...onMany, operationId: 'suspendVms', summary: 'Suspend machines' } },
    (request, reply) => start(request, reply, { kind: 'suspend' }),
  );
  app.post(
    '/v1/vms::resume',
    { schema: { ...onMany, operationId: 'resumeVms', summary: 'Resume suspended machines' } },
    (request, reply) => start(request, reply, { kind: 'resume' }),
  );
  app.post(
    '/v1/vms::reboot',
    { schema: { ...onMany, operationId: 'rebootVms', summary: 'Restart machines' } },
    (request, reply) => start(request, reply, { kind: 'reboot' }),
  );
  app.post(
    '/v1/vms::reset',
    {
      schema: { ...onMany, operationId: 'resetVms', summary: 'Press the reset button of machines' },
    },
    (request, reply) => start(request, reply, { kind: 'reset' }),
  );
}
