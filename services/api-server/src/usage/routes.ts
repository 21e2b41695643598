import { Readable } from 'node:stream';
import { UsageSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { isAllowed, requireAccess } from '../http/access.ts';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { type UsageService, usageCsv } from './service.ts';

const tags = ['usage'];
const CSV = 'text/csv; charset=utf-8';
const Time = Type.String({ format: 'date-time' });
const Period = { from: Time, to: Type.Optional(Time) };
const Grouping = {
  ...Period,
  groupBy: Type.Optional(
    Type.String({ maxLength: 100, description: 'hour or day, project, cluster; with commas' }),
  ),
  format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('csv')])),
};

/** `/v1/usage` */
export function usageRoutes(instance: FastifyInstance, usage: UsageService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/usage',
    {
      schema: {
        operationId: 'getUsage',
        summary: 'Sum up what machines used, in groups; also as CSV',
        tags,
        querystring: Type.Object({
          ...Grouping,
          of: Type.Optional(Type.Union([Type.Literal('project'), Type.Literal('organisation')])),
        }),
        response: answers(200, UsageSchema),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { of, format, ...wish } = request.query;
      if (of === 'organisation') requireAccess(principal, 'manage', 'of');
      const { projectId, organisationId } = principal;
      const scope = of === 'organisation' ? { organisationId } : { projectId };
      const found = await usage.get(scope, wish);
      return format === 'csv' ? csv(reply).send(usageCsv(found)) : reply.send(found);
    },
  );
  app.get(
    '/v1/usage/records',
    {
      schema: {
        operationId: 'listUsageRecords',
        summary: 'Give every interval of use by the second, as CSV',
        tags,
        querystring: Type.Object(Period),
        response: answers(200, Type.String()),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      return csv(reply).send(Readable.from(usage.records({ projectId }, request.query)));
    },
  );
  app.get(
    '/v1/clusters/:cluster/usage',
    {
      schema: {
        operationId: 'getClusterUsage',
        summary: 'Sum up what is credited to a cluster, for its owner',
        tags,
        params: Type.Object({ cluster: Type.String({ maxLength: 64 }) }),
        querystring: Type.Object(Grouping),
        response: answers(200, UsageSchema),
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { format, ...wish } = request.query;
      const owner = isAllowed(principal, 'operate') ? undefined : principal.organisationId;
      // Whose machines they are is between their owners and the factory.
      if (owner !== undefined && wish.groupBy?.includes('project') === true) {
        requireAccess(principal, 'operate', 'groupBy');
      }
      const found = await usage.ofCluster(request.params.cluster, owner, wish);
      return format === 'csv' ? csv(reply).send(usageCsv(found)) : reply.send(found);
    },
  );
}

/** `send` is typed by the schema of the JSON answer. */
function csv(reply: FastifyReply): FastifyReply {
  return reply.type(CSV);
}
