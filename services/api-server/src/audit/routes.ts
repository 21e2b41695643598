import { OrganisationIdSchema, PROBLEMS, ProjectIdSchema } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { AuditQuery, AuditStore, KeptAuditRecord } from './store.ts';

const AuditEntrySchema = Type.Object({
  number: Type.Integer(),
  at: Type.String({ format: 'date-time' }),
  organisationId: OrganisationIdSchema,
  projectId: ProjectIdSchema,
  actor: Type.String({ description: 'The id of the key or user that called.' }),
  role: Type.String(),
  operation: Type.String({ description: 'The operationId of this document.' }),
  subjects: Type.Record(Type.String(), Type.String(), {
    description: 'The ids of the path, and as `made` of what was made.',
  }),
  status: Type.Integer({ description: 'Of the answer.' }),
  code: Type.Union([Type.String(), Type.Null()], { description: 'Of the problem, if it was one.' }),
  requestId: Type.String(),
  address: Type.String({ description: 'Where the call came from.' }),
});

const AuditParams = Type.Object({
  ...PageQuery,
  actor: Type.Optional(Type.String({ maxLength: 64 })),
  operation: Type.Optional(Type.String({ maxLength: 64 })),
});

/** `/v1/audit` */
export function auditRoutes(instance: FastifyInstance, audit: AuditStore): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const schema = {
    tags: ['audit'],
    querystring: AuditParams,
    response: answers(200, pageOf(AuditEntrySchema)),
  };
  app.get(
    '/v1/audit',
    {
      schema: {
        operationId: 'listAudit',
        summary: "List the organisation's calls that may have changed something, newest first",
        ...schema,
      },
    },
    async (request) => {
      const { organisationId } = principalOf(request);
      return pageFor(audit, { ...request.query, organisationId });
    },
  );
  app.get(
    '/v1/audit/platform',
    {
      schema: {
        operationId: 'listPlatformAudit',
        summary: 'List the calls of all organisations that may have changed something',
        ...schema,
      },
    },
    async (request) => pageFor(audit, request.query),
  );
}

async function pageFor(
  audit: AuditStore,
  query: Static<typeof AuditParams> & Pick<AuditQuery, 'organisationId'>,
) {
  const { cursor, limit, ...filter } = query;
  const before = readCursor(cursor);
  const from = before === undefined ? {} : { before };
  const records = await audit.list({ ...filter, ...from, limit: limit + 1 });
  const shown = records.slice(0, limit);
  const last = shown.at(-1);
  const isMore = records.length > limit && last !== undefined;
  return { items: shown.map(show), nextCursor: isMore ? String(last.id) : null };
}

function readCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  const detail = 'cursor must be the nextCursor of the page before';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'cursor' });
}

function show({ id, atMs, ...record }: KeptAuditRecord): Static<typeof AuditEntrySchema> {
  return {
    number: id,
    at: new Date(atMs).toISOString(),
    ...record,
    subjects: { ...record.subjects },
  };
}
