import {
  ApiKeyIdSchema,
  ApiKeyRequestSchema,
  ApiKeySchema,
  NewApiKeySchema,
  ProjectIdSchema,
  RotateApiKeySchema,
} from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import { showKey } from './key-state.ts';
import type { KeyService } from './service.ts';

const params = Type.Object({ id: ApiKeyIdSchema });
const tags = ['API keys'];

/** `/v1/api-keys` */
export function keyRoutes(instance: FastifyInstance, keys: KeyService, clock: Clock): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/api-keys',
    {
      schema: {
        operationId: 'createApiKey',
        summary: 'Make an API key; the secret is in this answer only',
        tags,
        body: ApiKeyRequestSchema,
        response: answers(201, NewApiKeySchema),
      },
    },
    async (request, reply) => {
      const key = await keys.create(principalOf(request), request.body);
      reply.header('cache-control', 'no-store').header('location', `/v1/api-keys/${key.id}`);
      reply.status(201);
      return key;
    },
  );
  app.get(
    '/v1/api-keys',
    {
      schema: {
        operationId: 'listApiKeys',
        summary: "List a project's API keys, oldest first, without their secrets",
        tags,
        querystring: Type.Object({ ...PageQuery, projectId: Type.Optional(ProjectIdSchema) }),
        response: answers(200, pageOf(ApiKeySchema)),
      },
    },
    async (request) => {
      const { cursor, limit, ...filter } = request.query;
      const after = decodeCursor(cursor);
      const records = await keys.list(principalOf(request), {
        ...filter,
        ...(after === undefined ? {} : { after }),
        limit: limit + 1,
      });
      const nowMs = clock.nowMs();
      return toPage(records, limit, (key) => showKey(key, nowMs));
    },
  );
  app.get(
    '/v1/api-keys/:id',
    {
      schema: {
        operationId: 'getApiKey',
        summary: 'Show an API key, without its secret',
        tags,
        params,
        response: answers(200, ApiKeySchema),
      },
    },
    async (request) => keys.get(principalOf(request), request.params.id),
  );
  app.post(
    '/v1/api-keys/:id([^:/]+)::rotate',
    {
      schema: {
        operationId: 'rotateApiKey',
        summary: 'Make a key in place of another, which goes on working for a grace time',
        tags,
        params,
        body: RotateApiKeySchema,
        response: answers(201, NewApiKeySchema),
      },
    },
    async (request, reply) => {
      const key = await keys.rotate(principalOf(request), request.params.id, request.body);
      reply.header('cache-control', 'no-store').header('location', `/v1/api-keys/${key.id}`);
      reply.status(201);
      return key;
    },
  );
  app.delete(
    '/v1/api-keys/:id',
    {
      schema: {
        operationId: 'revokeApiKey',
        summary: 'Revoke an API key: it stops working within seconds',
        tags,
        params,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await keys.revoke(principalOf(request), request.params.id);
      return reply.status(204).send(null);
    },
  );
}
