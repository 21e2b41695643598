import {
  ChangePasswordSchema,
  MeSchema,
  PROBLEMS,
  ProjectIdSchema,
  SESSION_COOKIE,
  SessionSchema,
  SignInSchema,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { NewSession, SessionService } from './service.ts';

const tags = ['sessions'];

/** `/v1/me` and signing out: for everybody who is known. */
export function sessionRoutes(instance: FastifyInstance, sessions: SessionService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/me',
    {
      schema: {
        operationId: 'getMe',
        summary: 'Who asks, in which project, and what they may do there',
        tags,
        response: answers(200, MeSchema),
      },
    },
    async (request) => sessions.me(principalOf(request)),
  );
  app.post(
    '/v1/me/password',
    {
      schema: {
        operationId: 'changeMyPassword',
        summary: 'Change the own password; signs out everywhere',
        tags,
        body: ChangePasswordSchema,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const { password, newPassword } = request.body;
      await sessions.changePassword(principalOf(request), password, newPassword);
      return reply.status(204).send(null);
    },
  );
  app.delete(
    '/v1/sessions/current',
    {
      schema: {
        operationId: 'signOut',
        summary: 'Sign out',
        tags,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await sessions.signOut(principalOf(request));
      setCookie(reply, '', 0);
      return reply.status(204).send(null);
    },
  );
}

/** Signing in, and what the gateway asks for: only with the internal token. */
export function internalSessionRoutes(
  instance: FastifyInstance,
  sessions: SessionService,
  isCookieSecure: boolean,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/sessions',
    {
      schema: {
        operationId: 'signIn',
        summary: 'Sign in with a password; not signed, and limited in attempts',
        tags,
        security: [],
        body: SignInSchema,
        response: answers(201, SessionSchema),
      },
    },
    async (request, reply) => {
      const { cookie = false } = request.body;
      const address = String(request.headers['x-factory-client-address'] ?? '');
      const session = await sessions.signIn(request.body, address);
      reply.header('cache-control', 'no-store').status(201);
      if (cookie) giveCookie(reply, session, isCookieSecure);
      const { userId, token, expiresAtMs } = session;
      const expiresAt = new Date(expiresAtMs).toISOString();
      return { userId, token: cookie ? null : token, expiresAt };
    },
  );
  app.get(
    '/internal/v1/sessions/:tokenHash',
    {
      schema: {
        params: Type.Object({ tokenHash: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
        querystring: Type.Object({ projectId: Type.Optional(ProjectIdSchema) }),
      },
    },
    async (request, reply) => {
      const { tokenHash } = request.params;
      const principal = await sessions.principal(tokenHash, request.query.projectId);
      reply.header('cache-control', 'no-store');
      if (principal !== undefined) return { principal };
      throw new ProblemError(PROBLEMS.notFound, 'There is no such session.');
    },
  );
}

/** Puts the session's token into the cookie. */
export function giveCookie(reply: FastifyReply, session: NewSession, isSecure: boolean): void {
  setCookie(reply, session.token, session.expiresAtMs, isSecure);
}

/** For scripts it is not there, and no other site's page can have it sent (RFC 6265bis). */
function setCookie(reply: FastifyReply, token: string, expiresAtMs: number, isSecure = false) {
  const expires = new Date(expiresAtMs).toUTCString();
  const parts = [`${SESSION_COOKIE}=${token}`, 'Path=/', 'HttpOnly', 'SameSite=Strict'];
  const all = [...parts, `Expires=${expires}`, ...(isSecure ? ['Secure'] : [])];
  reply.header('set-cookie', all.join('; '));
}
