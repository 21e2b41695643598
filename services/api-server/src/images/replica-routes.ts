import { ImageVersionSchema, NameSchema, PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { Replication } from './replication.ts';

const MIB = 1024 * 1024;
const CLUSTERS_MAX = 1_000;
const ByName = Type.Object({ name: NameSchema });

const ReplicaRequestSchema = Type.Object(
  {
    /** Its SHA-256, which may be cut short; by default the newest. */
    version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{1,64}$' })),
    clusters: Type.Array(Type.String({ maxLength: 63 }), { minItems: 1, maxItems: CLUSTERS_MAX }),
  },
  { additionalProperties: false },
);
const ReplicatedSchema = Type.Object({
  name: Type.String(),
  version: ImageVersionSchema,
  clusters: Type.Array(Type.String()),
});
const RateSchema = Type.Object(
  {
    /** MiB a second, in both directions together; null: no bound. */
    imageMiBPerSecond: Type.Union([Type.Integer({ minimum: 1, maximum: 100_000 }), Type.Null()]),
  },
  { additionalProperties: false },
);

/** Which clusters have which images, and how fast they get them. */
export function replicaRoutes(
  instance: FastifyInstance,
  parts: { readonly replication: Replication; readonly store: Pick<ApiStore, 'replicas'> },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { replication, store } = parts;
  const tags = ['images'];
  const schema = { tags, params: ByName, body: ReplicaRequestSchema };
  const response = answers(202, ReplicatedSchema);
  app.post(
    '/v1/images/:name([^:/]+)::replicate',
    {
      schema: {
        ...{ ...schema, response, operationId: 'replicateImage' },
        summary:
          'Bring a version to clusters before machines ask for it; see the image for progress',
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const wanted = await replication.replicate(principalOf(request), name, request.body);
      return reply.status(202).send({ ...wanted, clusters: [...wanted.clusters] });
    },
  );
  app.post(
    '/v1/images/:name([^:/]+)::stopReplicating',
    {
      schema: {
        ...{ ...schema, response, operationId: 'stopReplicatingImage' },
        summary: 'No longer want a version in clusters; what is there by now stays',
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const left = await replication.stopReplicating(principalOf(request), name, request.body);
      return reply.status(202).send({ ...left, clusters: [...left.clusters] });
    },
  );
  app.put(
    '/v1/clusters/:cluster/image-rate',
    {
      schema: {
        operationId: 'boundImageRate',
        summary: 'Say how much of its line a cluster may use for images',
        tags: ['clusters'],
        params: Type.Object({ cluster: Type.String({ maxLength: 63 }) }),
        body: RateSchema,
        response: answers(200, RateSchema),
      },
    },
    async (request) => {
      const { imageMiBPerSecond: rate } = request.body;
      const { cluster } = request.params;
      if (!(await store.replicas.bound(cluster, rate === null ? null : rate * MIB))) {
        throw new ProblemError(PROBLEMS.notFound, `There is no cluster ${cluster}.`);
      }
      return { imageMiBPerSecond: rate };
    },
  );
}
