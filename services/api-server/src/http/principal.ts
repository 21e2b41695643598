import { createHash, timingSafeEqual } from 'node:crypto';
import {
  OrganisationIdSchema,
  PROBLEMS,
  ProjectIdSchema,
  ROLES,
  SCOPES,
  type Scope,
  SessionIdSchema,
  type Static,
  stringEnum,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

const PrincipalSchema = Type.Object({
  /** The id of the key that signed, or of whoever else asks. */
  actor: Type.String({ pattern: '^[a-z]{2,4}_[0-9a-f]{32}$' }),
  organisationId: OrganisationIdSchema,
  projectId: ProjectIdSchema,
  role: stringEnum(ROLES),
  /** Whether the role holds in the project only, or in the whole organisation. */
  scope: Type.Optional(stringEnum(SCOPES)),
  /** Whether its organisation is the one that runs the factory. */
  isPlatform: Type.Boolean(),
  /** Of a user who is signed in. */
  sessionId: Type.Optional(SessionIdSchema),
});
/** Who a request is made for. */
export type Principal = Static<typeof PrincipalSchema> & { readonly scope: Scope };

/**
 * The header with a {@link Principal} in JSON: the gateway has it from us, and sends it as it is.
 */
const PRINCIPAL_HEADER = 'x-factory-principal';

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

/** Lets only holders of the internal token pass: the gateway and the factory's own tools. */
export function requireInternalToken(app: FastifyInstance, internalToken: string): void {
  app.addHook('onRequest', async (request) => {
    if (isInternal(request.headers.authorization, internalToken)) return;
    const detail = 'Only the gateway talks to this port; send the request there, signed.';
    throw new ProblemError(PROBLEMS.unsigned, detail);
  });
}

/** Whether an `authorization` header has the internal token. */
export function isInternal(authorization: string | undefined, internalToken: string): boolean {
  return timingSafeEqual(digest(`Bearer ${internalToken}`), digest(authorization ?? ''));
}

/** Reads the gateway's word on who asks into `request.principal`. */
export function requirePrincipal(app: FastifyInstance): void {
  app.decorateRequest('principal', undefined);
  app.addHook('onRequest', async (request) => {
    request.principal = readPrincipal(request);
  });
}

/** The principal of a request below {@link requirePrincipal}. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new Error('this route is not behind the gateway');
  return request.principal;
}

/** The one whom a request is made for, as the gateway says. @throws ProblemError when it does not. */
export function readPrincipal(request: FastifyRequest): Principal {
  const text = request.headers[PRINCIPAL_HEADER];
  try {
    // An api-server of the release before says no scope.
    return { scope: 'project', ...Value.Parse(PrincipalSchema, JSON.parse(String(text))) };
  } catch (error) {
    const detail = 'The request does not say for whom it is.';
    throw new ProblemError(PROBLEMS.unsigned, detail, { cause: error });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
