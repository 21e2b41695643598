import {
  type BatchOperation,
  BatchOperationSchema,
  OPERATION_STATES,
  OperationSchema,
  PROBLEMS,
  type ProjectId,
  stringEnum,
} from '@factory/contracts';
import { hasErrorCode } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { BatchOperationService } from './batch-service.ts';
import { OperationParams } from './schemas.ts';
import { type OperationService, showOperation } from './service.ts';

const ResultsParams = Type.Object({
  ...PageQuery,
  state: Type.Optional(stringEnum(OPERATION_STATES)),
});

interface OperationRouteParts {
  readonly operations: OperationService;
  readonly batches: BatchOperationService;
}

/** `/v1/operations` */
export function operationRoutes(
  instance: FastifyInstance,
  { operations, batches }: OperationRouteParts,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  /** Asked again, it goes on with what is left. */
  const cancelAll = async (projectId: ProjectId, onBatch: BatchOperation) => {
    for (const part of await batches.running(projectId, onBatch.id)) {
      await operations.cancel(projectId, part.id).catch((error: unknown) => {
        // Ended meanwhile; or of a kind for which its own result says so.
        if (!hasErrorCode(error, PROBLEMS.wrongState.code)) throw error;
      });
    }
    return onBatch;
  };
  app.get(
    '/v1/operations/:id',
    {
      schema: {
        operationId: 'getOperation',
        summary: 'Show an action on a machine, or on a batch',
        tags: ['operations'],
        params: OperationParams,
        response: answers(200, Type.Union([OperationSchema, BatchOperationSchema])),
      },
    },
    async (request) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const onBatch = await batches.find(projectId, id);
      return onBatch ?? showOperation(await operations.get(projectId, id));
    },
  );
  app.post(
    '/v1/operations/:id([^:/]+)::cancel',
    {
      schema: {
        operationId: 'cancelOperation',
        summary: 'End an action that is under way, and take back what was made for it',
        tags: ['operations'],
        params: OperationParams,
        response: answers(202, Type.Union([OperationSchema, BatchOperationSchema])),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const onBatch = await batches.find(projectId, id);
      const cancelled =
        onBatch === undefined
          ? showOperation(await operations.cancel(projectId, id))
          : await cancelAll(projectId, onBatch);
      reply.status(202).header('location', `/v1/operations/${cancelled.id}`);
      return cancelled;
    },
  );
  app.get(
    '/v1/operations/:id/results',
    {
      schema: {
        operationId: 'listOperationResults',
        summary: 'List what became of the machines of a batch on which something is done',
        tags: ['operations'],
        params: OperationParams,
        querystring: ResultsParams,
        response: answers(200, pageOf(OperationSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, state } = request.query;
      const after = decodeCursor(cursor);
      const found = await batches.results({
        projectId: principalOf(request).projectId,
        id: request.params.id,
        ...(state === undefined ? {} : { state }),
        ...(after === undefined ? {} : { after }),
        limit: limit + 1,
      });
      return toPage(found, limit, showOperation);
    },
  );
}
