import {
  BatchIdSchema,
  MetricsHistoryParams,
  VmIdSchema,
  VmMetricsHistorySchema,
  VmMetricsSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { goneSignal } from '../http/gone.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { OperationService } from '../operations/service.ts';
import type { MetricsService } from './service.ts';

const tags = ['vms'];

/** `/v1/metrics` and `/v1/vms/{id}/metrics`. */
export function metricsRoutes(
  instance: FastifyInstance,
  metrics: MetricsService,
  operations: OperationService,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/metrics',
    {
      schema: {
        operationId: 'listMetrics',
        summary: 'Show what machines use, in the order of their list',
        tags,
        querystring: Type.Object({ ...PageQuery, batchId: Type.Optional(BatchIdSchema) }),
        response: answers(200, pageOf(VmMetricsSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, batchId } = request.query;
      const after = decodeCursor(cursor);
      const found = await metrics.list({
        ...(batchId === undefined ? {} : { batchId }),
        ...(after === undefined ? {} : { after }),
        projectId: principalOf(request).projectId,
        withDeleted: false,
        limit: limit + 1,
      });
      return toPage(found, limit, ({ vmId, latest }) => ({ vmId, latest }));
    },
  );
  app.get(
    '/v1/vms/:id/metrics/history',
    {
      schema: {
        operationId: 'getVmMetricsHistory',
        summary: 'Show what a machine used in the last hour, as its host remembers it',
        tags,
        params: Type.Object({ id: VmIdSchema }),
        querystring: MetricsHistoryParams,
        response: answers(200, VmMetricsHistorySchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const order = { kind: 'metricsHistory', params: request.query } as const;
      const { data } = await operations.read(projectId, id, order, goneSignal(reply));
      return { vmId: id, samples: data?.kind === 'metricsHistory' ? data.samples : [] };
    },
  );
  app.get(
    '/v1/vms/:id/metrics',
    {
      schema: {
        operationId: 'getVmMetrics',
        summary: 'Show what a machine uses',
        tags,
        params: Type.Object({ id: VmIdSchema }),
        response: answers(200, VmMetricsSchema),
      },
    },
    async (request) => metrics.of(principalOf(request).projectId, request.params.id),
  );
}
