import { OrganisationIdSchema, PROBLEMS, ProjectIdSchema } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { requireAccess } from '../http/access.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { AuditStore, KeptAuditRecord } from './store.ts';

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

/** `/v1/audit` */
export function auditRoutes(instance: FastifyInstance, audit: AuditStore): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/audit',
    {
      schema: {
        operationId: 'listAudit',
        summary: 'List the calls that may have changed something, newest first',
        tags: ['audit'],
        querystring: Type.Object({
          ...PageQuery,
          actor: Type.Optional(Type.String({ maxLength: 64 })),
          operation: Type.Optional(Type.String({ maxLength: 64 })),
          of: Type.Optional(
            Type.Union([Type.Literal('organisation'), Type.Literal('platform')], {
              description: 'platform: of all organisations, for operators of the factory.',
            }),
          ),
        }),
        response: answers(200, pageOf(AuditEntrySchema)),
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { cursor, limit, of, ...filter } = request.query;
      const isOfAll = of === 'platform';
      requireAccess(principal, isOfAll ? 'operate' : 'manage', 'of');
      const before = readCursor(cursor);
      const records = await audit.list({
        ...filter,
        ...(isOfAll ? {} : { organisationId: principal.organisationId }),
        ...(before === undefined ? {} : { before }),
        limit: limit + 1,
      });
      const shown = records.slice(0, limit);
      const last = shown.at(-1);
      const isMore = records.length > limit && last !== undefined;
      return { items: shown.map(show), nextCursor: isMore ? String(last.id) : null };
    },
  );
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
