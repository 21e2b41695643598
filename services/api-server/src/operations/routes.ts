import { OperationSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { OperationParams } from './schemas.ts';
import { type OperationService, showOperation } from './service.ts';

/** `/v1/operations` */
export function operationRoutes(instance: FastifyInstance, operations: OperationService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/operations/:id',
    {
      schema: {
        operationId: 'getOperation',
        summary: 'Show a one-shot action on a machine',
        tags: ['operations'],
        params: OperationParams,
        response: answers(200, OperationSchema),
      },
    },
    async (request) =>
      showOperation(await operations.get(principalOf(request).projectId, request.params.id)),
  );
}
