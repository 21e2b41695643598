import { ClusterIdSchema } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { answers } from '../http/schemas.ts';
import type { ApiStore } from '../store/api-store.ts';
import { isConnected } from './connection.ts';
import type { ClusterRecord } from './store.ts';

const Time = Type.String({ format: 'date-time' });

const ClusterSchema = Type.Object({
  id: ClusterIdSchema,
  name: Type.String(),
  connected: Type.Boolean(),
  enrolledAt: Time,
  lastSeenAt: Type.Union([Time, Type.Null()]),
  capacity: Type.Union([
    Type.Null(),
    Type.Object({
      observedAt: Time,
      hosts: Type.Integer(),
      activeHosts: Type.Integer(),
      totalVcpus: Type.Number(),
      totalMemoryMiB: Type.Number(),
      freeVcpus: Type.Number(),
      freeMemoryMiB: Type.Number(),
      promisedVcpus: Type.Number(),
      promisedMemoryMiB: Type.Number(),
      images: Type.Array(Type.String()),
    }),
  ]),
});

/** `/v1/clusters` */
export function clusterRoutes(
  instance: FastifyInstance,
  parts: { readonly store: Pick<ApiStore, 'clusters'>; readonly clock: Clock },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/clusters',
    {
      schema: {
        operationId: 'listClusters',
        summary: 'List the clusters, what they have and when they were heard of',
        tags: ['clusters'],
        response: answers(200, Type.Object({ items: Type.Array(ClusterSchema) })),
      },
    },
    async () => {
      const nowMs = parts.clock.nowMs();
      const clusters = await parts.store.clusters.list();
      return { items: clusters.map((cluster) => showCluster(cluster, nowMs)) };
    },
  );
}

function showCluster(cluster: ClusterRecord, nowMs: number): Static<typeof ClusterSchema> {
  const { id, name, enrolledAtMs, lastSeenAtMs, capacity } = cluster;
  return {
    id,
    name,
    connected: isConnected(lastSeenAtMs, nowMs),
    enrolledAt: new Date(enrolledAtMs).toISOString(),
    lastSeenAt: lastSeenAtMs === null ? null : new Date(lastSeenAtMs).toISOString(),
    capacity: capacity === null ? null : showCapacity(capacity),
  };
}

function showCapacity(capacity: NonNullable<ClusterRecord['capacity']>) {
  const { observedAtMs, images, ...sums } = capacity;
  return { ...sums, images: [...images], observedAt: new Date(observedAtMs).toISOString() };
}
