import {
  OrganisationIdSchema,
  ProjectIdSchema,
  QuotaLimitsSchema,
  QuotaSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { QuotaService } from './service.ts';

const tags = ['quota'];

/** `/v1/quota` */
export function quotaRoutes(instance: FastifyInstance, quota: QuotaService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/quota',
    {
      schema: {
        operationId: 'getQuota',
        summary: 'Show what the project and its organisation may have, and have',
        tags,
        response: answers(200, QuotaSchema),
      },
    },
    async (request) => quota.get(principalOf(request).projectId),
  );
  app.put(
    '/v1/quota/projects/:id',
    {
      schema: {
        operationId: 'setProjectQuota',
        summary: 'Replace the limits of a project',
        tags,
        params: Type.Object({ id: ProjectIdSchema }),
        body: QuotaLimitsSchema,
        response: answers(200, QuotaSchema),
      },
    },
    async (request) => quota.setOfProject(principalOf(request), request.params.id, request.body),
  );
  app.put(
    '/v1/quota/organisations/:id',
    {
      schema: {
        operationId: 'setOrganisationQuota',
        summary: 'Replace the limits of an organisation',
        tags,
        params: Type.Object({ id: OrganisationIdSchema }),
        body: QuotaLimitsSchema,
        response: answers(200, QuotaLimitsSchema),
      },
    },
    async (request) => quota.setOfOrganisation(request.params.id, request.body),
  );
}
