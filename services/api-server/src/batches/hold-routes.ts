import { HoldIdSchema, HoldRequestSchema, HoldSchema, PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { HoldService } from './holds.ts';

const tags = ['batches'];
const holdId = Compile(HoldIdSchema);

/** Holds. */
export function holdRoutes(instance: FastifyInstance, holds: HoldService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/batches::hold',
    {
      schema: {
        operationId: 'holdBatch',
        summary: 'Keep room for a batch for a short time',
        tags,
        body: HoldRequestSchema,
        response: answers(201, HoldSchema),
      },
    },
    async (request, reply) => {
      const hold = await holds.hold(principalOf(request).projectId, request.body);
      return reply.status(201).send(hold);
    },
  );
  app.delete(
    '/v1/holds/:id',
    {
      schema: {
        operationId: 'releaseHold',
        summary: 'Give the room of a hold back',
        tags,
        params: Type.Object({ id: HoldIdSchema }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await holds.release(principalOf(request).projectId, request.params.id);
      return reply.status(204).send(null);
    },
  );
}

/** Before a request for a batch is checked: one that names a hold is the request of that. */
export async function readHold(request: FastifyRequest, holds: HoldService): Promise<void> {
  const { body } = request;
  if (typeof body !== 'object' || body === null || !('holdId' in body)) return;
  const { holdId: id } = body;
  if (!holdId.Check(id)) return;
  if (Object.keys(body).length > 1) {
    const detail = 'With holdId, give nothing else: the rest is as it was held.';
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'holdId' });
  }
  request.body = await holds.requestOf(principalOf(request).projectId, id);
}
