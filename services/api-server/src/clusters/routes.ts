import { ClusterIdSchema, isProjectImageFolder, PROBLEMS } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
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

/** `POST /v1/clusters/{cluster}/hosts/{host}:declareGone` */
export function hostRoutes(instance: FastifyInstance, store: Pick<ApiStore, 'clusters'>): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const params = Type.Object({ cluster: Type.String(), host: Type.String({ maxLength: 255 }) });
  app.post(
    '/v1/clusters/:cluster/hosts/:host([^:/]+)::declareGone',
    {
      schema: {
        operationId: 'declareHostGone',
        summary: 'Say that a host will not come back: its machines are lost, and can be made anew',
        tags: ['clusters'],
        params,
        response: answers(202, params),
      },
    },
    async (request, reply) => {
      const { cluster, host } = request.params;
      const result = await store.clusters.declareHostGone(cluster, host);
      if (result === 'noSuchCluster') {
        throw new ProblemError(PROBLEMS.notFound, `There is no cluster ${cluster}.`);
      }
      if (result === 'isActive') {
        const detail = `${host} is there; power it off first.`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      return reply.status(202).send({ cluster, host });
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
  const { observedAtMs, images, imageVersions: _newest, ...rest } = capacity;
  const { allImageVersions: _all, ...sums } = rest;
  // Images of projects are theirs alone to see.
  const own = images.filter((image) => !isProjectImageFolder(image));
  return { ...sums, images: own, observedAt: new Date(observedAtMs).toISOString() };
}
