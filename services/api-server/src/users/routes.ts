import {
  NewUserSchema,
  OrganisationIdSchema,
  UserChangeSchema,
  UserIdSchema,
  UserRequestSchema,
  UserSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { UserService } from './service.ts';
import { showUser } from './show.ts';

const params = Type.Object({ id: UserIdSchema });
const tags = ['users'];

/** `/v1/users` */
export function userRoutes(instance: FastifyInstance, users: UserService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/users',
    {
      schema: {
        operationId: 'createUser',
        summary: 'Make a user; a password that is made is in this answer only',
        tags,
        body: UserRequestSchema,
        response: answers(201, NewUserSchema),
      },
    },
    async (request, reply) => {
      const user = await users.create(principalOf(request), request.body);
      reply.header('cache-control', 'no-store').header('location', `/v1/users/${user.id}`);
      reply.status(201);
      return user;
    },
  );
  app.get(
    '/v1/users',
    {
      schema: {
        operationId: 'listUsers',
        summary: "List an organisation's users, oldest first",
        tags,
        querystring: Type.Object({
          ...PageQuery,
          email: Type.Optional(Type.String({ maxLength: 254 })),
          organisationId: Type.Optional(OrganisationIdSchema),
        }),
        response: answers(200, pageOf(UserSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, ...filter } = request.query;
      const after = decodeCursor(cursor);
      const records = await users.list(principalOf(request), {
        ...filter,
        ...(after === undefined ? {} : { after }),
        limit: limit + 1,
      });
      return toPage(records, limit, showUser);
    },
  );
  app.get(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'getUser',
        summary: 'Show a user',
        tags,
        params,
        response: answers(200, UserSchema),
      },
    },
    async (request) => users.get(principalOf(request), request.params.id),
  );
  app.patch(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'changeUser',
        summary: 'Change the name, the state or the memberships of a user',
        tags,
        params,
        body: UserChangeSchema,
        response: answers(200, UserSchema),
      },
    },
    async (request) => users.change(principalOf(request), request.params.id, request.body),
  );
  app.post(
    '/v1/users/:id([^:/]+)::resetPassword',
    {
      schema: {
        operationId: 'resetUserPassword',
        summary: 'Give a user a new password, which is in this answer only, and sign them out',
        tags,
        params,
        response: answers(200, NewUserSchema),
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return users.resetPassword(principalOf(request), request.params.id);
    },
  );
  app.delete(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user, and sign them out',
        tags,
        params,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await users.delete(principalOf(request), request.params.id);
      return reply.status(204).send(null);
    },
  );
}
