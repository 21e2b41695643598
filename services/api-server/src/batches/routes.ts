import {
  BatchChangeSchema,
  BatchPlanSchema,
  BatchReportSchema,
  BatchRequestSchema,
  BatchSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { goneSignal } from '../http/gone.ts';
import { readFilter, toOrderedPage } from '../http/list-query.ts';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { summariseBatch } from '../planning/batch-summary.ts';
import { readHold } from './hold-routes.ts';
import type { HoldService } from './holds.ts';
import {
  BatchGetParams,
  BatchListParams,
  BatchPageSchema,
  BatchParams,
  IdempotencyHeaders,
} from './schemas.ts';
import type { BatchService } from './service.ts';

/** `/v1/batches` */
export function batchRoutes(
  instance: FastifyInstance,
  batches: BatchService,
  holds: HoldService,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['batches'];
  app.post(
    '/v1/batches',
    {
      preValidation: (request) => readHold(request, holds),
      schema: {
        operationId: 'createBatch',
        summary: 'Ask for a batch of machines',
        tags,
        headers: IdempotencyHeaders,
        body: BatchRequestSchema,
        response: answers(202, BatchSchema),
      },
    },
    async (request, reply) => {
      const key = request.headers['idempotency-key'];
      const batch = await batches.create(principalOf(request).projectId, request.body, key);
      return reply.status(202).header('location', `/v1/batches/${batch.id}`).send(batch);
    },
  );
  app.post(
    '/v1/batches::plan',
    {
      schema: {
        operationId: 'planBatch',
        summary: 'Show what would become of a batch if it were asked for now',
        tags,
        body: BatchRequestSchema,
        response: answers(200, BatchPlanSchema),
      },
    },
    async (request) => batches.plan(principalOf(request).projectId, request.body),
  );
  app.get(
    '/v1/batches',
    {
      schema: {
        operationId: 'listBatches',
        summary: 'List batches, oldest first',
        tags,
        querystring: BatchListParams,
        response: answers(200, BatchPageSchema),
      },
    },
    async (request) => {
      const { limit, state, withDeleted, ...given } = request.query;
      const views = await batches.list({
        ...readFilter(given),
        ...(state === undefined ? {} : { state }),
        projectId: principalOf(request).projectId,
        withDeleted,
        limit: limit + 1,
      });
      const records = views.map((view) => ({ id: view.batch.id, name: view.batch.name, view }));
      return toOrderedPage(records, limit, given.sort, ({ view }) => summariseBatch(view));
    },
  );
  app.get(
    '/v1/batches/:id',
    {
      schema: {
        operationId: 'getBatch',
        summary: 'Show a batch, or wait until it changes',
        tags,
        params: BatchParams,
        querystring: BatchGetParams,
        response: answers(200, BatchSchema),
      },
    },
    async (request, reply) => {
      const { ifChangedFrom: from, waitMs: ms } = request.query;
      const wait = { from, ms: from === undefined ? 0 : ms, signal: goneSignal(reply) };
      const { projectId } = principalOf(request);
      const { batch, etag } = await batches.get(projectId, request.params.id, wait);
      return reply.header('etag', etag).send(batch);
    },
  );
  app.get(
    '/v1/batches/:id/report',
    {
      schema: {
        operationId: 'getBatchReport',
        summary: 'Show what was asked for and what became of it, also when the batch is gone',
        tags,
        params: BatchParams,
        response: answers(200, BatchReportSchema),
      },
    },
    async (request) => batches.report(principalOf(request).projectId, request.params.id),
  );
  app.patch(
    '/v1/batches/:id',
    {
      schema: {
        operationId: 'changeBatch',
        summary: 'Change the labels, the lifetime or the security rules of a batch',
        tags,
        params: BatchParams,
        body: BatchChangeSchema,
        response: answers(202, BatchSchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const batch = await batches.change(projectId, request.params.id, request.body);
      return reply.status(202).send(batch);
    },
  );
  app.delete(
    '/v1/batches/:id',
    {
      schema: {
        operationId: 'deleteBatch',
        summary: 'Delete a batch and all its machines',
        tags,
        params: BatchParams,
        response: answers(202, BatchSchema),
      },
    },
    async (request, reply) => {
      const batch = await batches.delete(principalOf(request).projectId, request.params.id);
      return reply.status(202).send(batch);
    },
  );
}
