import { PROBLEMS } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AuditLog } from './log.ts';
import type { AuditRecord } from './store.ts';

const ID = /^[a-z]{2,5}_[0-9a-f]{32}$/;
const SUBJECT_LENGTH_MAX = 255;
const LOOKING = ['GET', 'HEAD', 'OPTIONS'];

declare module 'fastify' {
  interface FastifyRequest {
    /** The id of what the call has made. */
    made: string | undefined;
    isAudited: boolean;
  }
}

/**
 * Writes every call of the routes that come later to the audit log before it is answered, those that
 * only look left out. Bodies are not kept: they may have secrets.
 */
export function auditCalls(app: FastifyInstance, log: AuditLog, clock: Clock): void {
  app.decorateRequest('made', undefined);
  app.decorateRequest('isAudited', false);
  app.addHook('preSerialization', async (request, _reply, payload) => {
    request.made = idOf(payload);
    return payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (LOOKING.includes(request.method) || request.isAudited) return payload;
    // The answer that says that it can't be written comes by here, too.
    request.isAudited = true;
    const record = recordOf(request, reply, payload, clock.nowMs());
    if (record !== undefined) await keep(log, record);
    return payload;
  });
}

async function keep(log: AuditLog, record: AuditRecord): Promise<void> {
  try {
    await log.write(record);
  } catch (error) {
    const detail =
      'The call may have been carried out, but could not be written to the audit log. Look at things as they are, or repeat it with the same idempotency key.';
    throw new ProblemError(PROBLEMS.notReady, detail, { cause: error });
  }
}

function recordOf(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  atMs: number,
): AuditRecord | undefined {
  const { principal } = request;
  if (principal === undefined) return undefined;
  const { organisationId, projectId, actor, role } = principal;
  const address = request.headers['x-factory-client-address'];
  return {
    ...{ atMs, organisationId, projectId, actor, role },
    operation: request.routeOptions.schema?.operationId ?? request.routeOptions.url ?? '',
    subjects: {
      ...subjectsOf(request.params),
      ...(request.made === undefined ? {} : { made: request.made }),
    },
    status: reply.statusCode,
    code: reply.statusCode < 400 ? null : codeOf(payload),
    requestId: request.id,
    address: typeof address === 'string' ? address : '',
  };
}

function subjectsOf(params: unknown): Record<string, string> {
  if (typeof params !== 'object' || params === null) return {};
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      String(value).slice(0, SUBJECT_LENGTH_MAX),
    ]),
  );
}

function idOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('id' in payload)) return undefined;
  const { id } = payload;
  return typeof id === 'string' && ID.test(id) ? id : undefined;
}

function codeOf(payload: unknown): string | null {
  if (typeof payload !== 'string') return null;
  return /"code":"([A-Z0-9_]{1,64})"/.exec(payload)?.[1] ?? null;
}
