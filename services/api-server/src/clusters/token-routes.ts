import {
  EnrolmentTokenIdSchema,
  EnrolmentTokenRequestSchema,
  EnrolmentTokenSchema,
  NewEnrolmentTokenSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { TokenService } from './token-service.ts';

/** `/v1/enrolment-tokens` */
export function tokenRoutes(instance: FastifyInstance, tokens: TokenService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['clusters'];
  app.post(
    '/v1/enrolment-tokens',
    {
      schema: {
        operationId: 'createEnrolmentToken',
        summary: 'Make a one-time token that a cluster enrols with; it is shown this once',
        tags,
        body: EnrolmentTokenRequestSchema,
        response: answers(201, NewEnrolmentTokenSchema),
      },
    },
    async (request, reply) => {
      const token = await tokens.create(principalOf(request), request.body);
      return reply.status(201).header('cache-control', 'no-store').send(token);
    },
  );
  app.get(
    '/v1/enrolment-tokens',
    {
      schema: {
        operationId: 'listEnrolmentTokens',
        summary: 'List enrolment tokens, the newest first',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(EnrolmentTokenSchema) })),
      },
    },
    async (request) => ({ items: [...(await tokens.list(principalOf(request)))] }),
  );
  app.delete(
    '/v1/enrolment-tokens/:id',
    {
      schema: {
        operationId: 'revokeEnrolmentToken',
        summary: 'Make an enrolment token unusable',
        tags,
        params: Type.Object({ id: EnrolmentTokenIdSchema }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await tokens.revoke(principalOf(request), request.params.id);
      return reply.status(204).send(null);
    },
  );
}
