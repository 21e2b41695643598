import {
  AddSshKeySchema,
  BatchIdSchema,
  type BatchOperation,
  BatchOperationSchema,
  SetPasswordSchema,
  SnapshotNameParams,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { IdempotencyHeaders } from '../batches/schemas.ts';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { BatchOperationService, BatchOrder } from './batch-service.ts';

const BatchParams = Type.Object({ id: BatchIdSchema });
const ofBatch = {
  tags: ['batches'],
  params: BatchParams,
  headers: IdempotencyHeaders,
  response: answers(202, BatchOperationSchema),
};

interface OnBatch {
  Params: Type.Static<typeof BatchParams>;
  Headers: Type.Static<typeof IdempotencyHeaders>;
}
type Start = (
  request: FastifyRequest<OnBatch>,
  reply: FastifyReply,
  order: BatchOrder,
) => Promise<BatchOperation>;

/** `POST /v1/batches/{id}:<verb>`: one call for all machines, each with a result of its own. */
export function batchOperationRoutes(
  instance: FastifyInstance,
  batches: BatchOperationService,
): void {
  const start: Start = async (request, reply, order) => {
    const { projectId } = principalOf(request);
    const key = request.headers['idempotency-key'];
    const operation = await batches.start(projectId, request.params.id, order, key);
    reply.status(202).header('location', `/v1/operations/${operation.id}`);
    return operation;
  };
  plainRoutes(instance, start);
  routesWithParams(instance, start);
}

function plainRoutes(instance: FastifyInstance, start: Start): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/batches/:id([^:/]+)::start',
    { schema: { ...ofBatch, operationId: 'startBatch', summary: 'Start all machines of a batch' } },
    (request, reply) => start(request, reply, { kind: 'start' }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::stop',
    {
      schema: {
        ...ofBatch,
        operationId: 'stopBatch',
        summary: 'Power all machines of a batch off',
      },
    },
    (request, reply) => start(request, reply, { kind: 'stop' }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::suspend',
    {
      schema: {
        ...ofBatch,
        operationId: 'suspendBatch',
        summary: 'Suspend all machines of a batch',
      },
    },
    (request, reply) => start(request, reply, { kind: 'suspend' }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::resume',
    {
      schema: { ...ofBatch, operationId: 'resumeBatch', summary: 'Resume all machines of a batch' },
    },
    (request, reply) => start(request, reply, { kind: 'resume' }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::reboot',
    {
      schema: {
        ...ofBatch,
        operationId: 'rebootBatch',
        summary: 'Restart all machines of a batch',
      },
    },
    (request, reply) => start(request, reply, { kind: 'reboot' }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::reset',
    {
      schema: {
        ...ofBatch,
        operationId: 'resetBatch',
        summary: 'Press the reset button of all machines of a batch',
      },
    },
    (request, reply) => start(request, reply, { kind: 'reset' }),
  );
}

function routesWithParams(instance: FastifyInstance, start: Start): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/batches/:id([^:/]+)::snapshot',
    {
      schema: {
        ...ofBatch,
        operationId: 'snapshotBatch',
        summary: 'Keep the disks of all machines of a batch',
        body: SnapshotNameParams,
      },
    },
    (request, reply) => start(request, reply, { kind: 'snapshot', params: request.body }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::revert',
    {
      schema: {
        ...ofBatch,
        operationId: 'revertBatch',
        summary: 'Go back to a snapshot with all machines of a batch',
        body: SnapshotNameParams,
      },
    },
    (request, reply) => start(request, reply, { kind: 'revert', params: request.body }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::deleteSnapshot',
    {
      schema: {
        ...ofBatch,
        operationId: 'deleteBatchSnapshot',
        summary: 'Delete a snapshot of all machines of a batch',
        body: SnapshotNameParams,
      },
    },
    (request, reply) => start(request, reply, { kind: 'deleteSnapshot', params: request.body }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::setPassword',
    {
      schema: {
        ...ofBatch,
        operationId: 'setBatchPassword',
        summary: 'Give a user of all guests of a batch a password',
        body: SetPasswordSchema,
      },
    },
    (request, reply) => start(request, reply, { kind: 'setPassword', params: request.body }),
  );
  app.post(
    '/v1/batches/:id([^:/]+)::addSshKey',
    {
      schema: {
        ...ofBatch,
        operationId: 'addBatchSshKey',
        summary: 'Let the owner of an SSH key into all guests of a batch',
        body: AddSshKeySchema,
      },
    },
    (request, reply) => start(request, reply, { kind: 'addSshKey', params: request.body }),
  );
}
