import { NameSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { type BootstrapParts, bootstrapFactory } from './service.ts';

const CLUSTERS_MAX = 1_000;
const Names = Type.Array(NameSchema, { maxItems: CLUSTERS_MAX, uniqueItems: true });

const BootstrapBody = Type.Object(
  {
    clusters: Names,
    reenrol: Type.Optional(Names),
    rotateAdminKey: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

/** `/internal/v1/bootstrap`: used by `factory up`. */
export function bootstrapRoutes(instance: FastifyInstance, parts: BootstrapParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post('/internal/v1/bootstrap', { schema: { body: BootstrapBody } }, (request, reply) => {
    const { clusters, reenrol = [], rotateAdminKey = false } = request.body;
    reply.header('cache-control', 'no-store');
    return bootstrapFactory(parts, { clusters, reenrol, rotateAdminKey });
  });
}
