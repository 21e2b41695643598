import { ConformanceReportSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { ConformanceService } from './service.ts';

/** `GET /v1/clusters/{cluster}/conformance` */
export function conformanceRoutes(
  instance: FastifyInstance,
  conformance: ConformanceService,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/clusters/:cluster/conformance',
    {
      schema: {
        operationId: 'getClusterConformance',
        summary: 'Show what was found when a cluster was last looked at',
        tags: ['clusters'],
        params: Type.Object({ cluster: Type.String({ maxLength: 63 }) }),
        response: answers(200, ConformanceReportSchema),
      },
    },
    (request) => conformance.get(principalOf(request), request.params.cluster),
  );
}
