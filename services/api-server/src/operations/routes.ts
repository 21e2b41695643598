import {
  BatchOperationSchema,
  OPERATION_STATES,
  OperationSchema,
  stringEnum,
} from '@factory/contracts';
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
