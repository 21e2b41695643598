import { createHash } from 'node:crypto';
import {
  CSRF_HEADER,
  PROBLEMS,
  PROJECT_HEADER,
  SESSION_COOKIE,
  SESSION_TOKEN_PREFIX,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyRequest } from 'fastify';
import type { ApiKey } from './key-directory.ts';

const TOKEN = new RegExp(`^${SESSION_TOKEN_PREFIX}[A-Za-z0-9_-]{43}$`);
const PROJECT = /^prj_[0-9a-f]{32}$/;
const SAFE_METHODS = ['GET', 'HEAD'];
const PREFIX = 'session/';

/** What a request says of a session, before anything is known to be true. */
export interface SessionClaim {
  /** By which the {@link KeyDirectory} looks it up: the token itself goes no further. */
  readonly ref: string;
  readonly tokenHash: string;
}

/**
 * The session that a request names, by bearer token or by cookie; `undefined` when it names none.
 * @throws ProblemError for a change with the cookie alone, which another site's page could send, and
 *   for a project that is none.
 */
export function readSession(request: FastifyRequest): SessionClaim | undefined {
  const { authorization, cookie } = request.headers;
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  const token = bearer ?? (authorization === undefined ? cookieOf(cookie) : undefined);
  if (token === undefined || !token.startsWith(SESSION_TOKEN_PREFIX)) return undefined;
  const isChange = !SAFE_METHODS.includes(request.method);
  if (bearer === undefined && isChange && request.headers[CSRF_HEADER] === undefined) {
    const detail = `With the cookie, changes need the header ${CSRF_HEADER}, with any value.`;
    throw new ProblemError(PROBLEMS.unsigned, detail, { field: CSRF_HEADER });
  }
  if (!TOKEN.test(token)) throw sessionOver();
  const tokenHash = createHash('sha256').update(token).digest('hex');
  return { tokenHash, ref: `${PREFIX}${tokenHash}/${chosenProject(request)}` };
}

/** Whether a reference of the directory is one of a session, and where it is asked for. */
export function sessionPath(ref: string): string | undefined {
  if (!ref.startsWith(PREFIX)) return undefined;
  const [tokenHash = '', projectId = ''] = ref.slice(PREFIX.length).split('/');
  const query = projectId === '' ? '' : `?projectId=${projectId}`;
  return `/internal/v1/sessions/${tokenHash}${query}`;
}

/** @throws ProblemError when the session is over, or its user may not work in the project. */
export function checkSession(session: ApiKey | undefined, request: FastifyRequest): void {
  if (session === undefined) throw sessionOver();
  if (session.principal !== null) return;
  const detail = `There is no project ${chosenProject(request)} that you may work in.`;
  throw new ProblemError(PROBLEMS.notFound, detail, { field: PROJECT_HEADER });
}

function chosenProject(request: FastifyRequest): string {
  const chosen = request.headers[PROJECT_HEADER];
  if (chosen === undefined) return '';
  if (typeof chosen === 'string' && PROJECT.test(chosen)) return chosen;
  const detail = `${PROJECT_HEADER} is the id of a project`;
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: PROJECT_HEADER });
}

function cookieOf(header: string | undefined): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [name, value] = part.trim().split('=', 2);
    if (name === SESSION_COOKIE) return value;
  }
  return undefined;
}

function sessionOver(): ProblemError {
  const detail = 'The session is over, or there never was one; sign in again.';
  return new ProblemError(PROBLEMS.noSession, detail, { field: 'authorization' });
}
