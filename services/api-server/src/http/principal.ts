import { createHash, timingSafeEqual } from 'node:crypto';
import { type ApiKeyId, PROBLEMS, type ProjectId } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ROLES, type Role } from '../keys/store.ts';

/** Who a request is made for, as the gateway found out. */
export interface Principal {
  readonly keyId: ApiKeyId;
  readonly projectId: ProjectId;
  readonly role: Role;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | undefined;
  }
}

const KEY_ID = /^key_[0-9a-f]{32}$/;
const PROJECT_ID = /^prj_[0-9a-f]{32}$/;
const CHANGING_ROLES: readonly Role[] = ['admin', 'operator', 'member'];
const READING_METHODS = ['GET', 'HEAD', 'OPTIONS'];

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

/** Reads the gateway's headers into `request.principal`, and refuses changes by readers. */
export function requirePrincipal(app: FastifyInstance): void {
  app.decorateRequest('principal', undefined);
  app.addHook('onRequest', async (request) => {
    const principal = readPrincipal(request);
    request.principal = principal;
    const isReading = READING_METHODS.includes(request.method);
    if (isReading || CHANGING_ROLES.includes(principal.role)) return;
    const detail = `The role ${principal.role} may look, but not change anything.`;
    throw new ProblemError(PROBLEMS.forbidden, detail);
  });
}

/** The principal of a request below {@link requirePrincipal}. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === undefined) throw new Error('this route is not behind the gateway');
  return request.principal;
}

function readPrincipal(request: FastifyRequest): Principal {
  const keyId = header(request, 'x-factory-key');
  const projectId = header(request, 'x-factory-project');
  const role = ROLES.find((each) => each === header(request, 'x-factory-role'));
  if (!KEY_ID.test(keyId) || !PROJECT_ID.test(projectId) || role === undefined) {
    throw new ProblemError(PROBLEMS.unsigned, 'The request does not say for whom it is.');
  }
  // Checked just above; the brand says no more.
  return { keyId: keyId as ApiKeyId, projectId: projectId as ProjectId, role };
}

function header(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
