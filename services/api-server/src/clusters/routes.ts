import {
  ClusterChangeSchema,
  ClusterHostSchema,
  ClusterSchema,
  ClusterWithdrawalSchema,
  PROBLEMS,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { FleetService } from './fleet-service.ts';

const ClusterParams = Type.Object({ cluster: Type.String({ maxLength: 63 }) });
const tags = ['clusters'];

/** `/v1/clusters` */
export function clusterRoutes(instance: FastifyInstance, fleet: FleetService): void {
  readingRoutes(instance, fleet);
  stateRoutes(instance, fleet);
  withdrawalRoutes(instance, fleet);
}

function readingRoutes(instance: FastifyInstance, fleet: FleetService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/clusters',
    {
      schema: {
        operationId: 'listClusters',
        summary: 'List the clusters, what they have and when they were heard of',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(ClusterSchema) })),
      },
    },
    async (request) => ({ items: [...(await fleet.list(principalOf(request)))] }),
  );
  app.get(
    '/v1/clusters/:cluster',
    {
      schema: {
        operationId: 'getCluster',
        summary: 'Show a cluster, and how far its drain or withdrawal is',
        tags,
        params: ClusterParams,
        response: answers(200, ClusterSchema),
      },
    },
    (request) => fleet.get(principalOf(request), request.params.cluster),
  );
  app.get(
    '/v1/clusters/:cluster/hosts',
    {
      schema: {
        operationId: 'listClusterHosts',
        summary: 'List the hosts of a cluster and what is free there',
        tags,
        params: ClusterParams,
        response: answers(200, Type.Object({ items: Type.Array(ClusterHostSchema) })),
      },
    },
    async (request) => ({
      items: [...(await fleet.hosts(principalOf(request), request.params.cluster))],
    }),
  );
  app.patch(
    '/v1/clusters/:cluster',
    {
      schema: {
        operationId: 'changeCluster',
        summary: 'Change the caps, the region or the attributes of a cluster',
        tags,
        params: ClusterParams,
        body: ClusterChangeSchema,
        response: answers(200, ClusterSchema),
      },
    },
    (request) => fleet.change(principalOf(request), request.params.cluster, request.body),
  );
}

function stateRoutes(instance: FastifyInstance, fleet: FleetService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const schema = { tags, params: ClusterParams, response: answers(200, ClusterSchema) };
  app.post(
    '/v1/clusters/:cluster([^:/]+)::drain',
    {
      schema: {
        ...schema,
        operationId: 'drainCluster',
        summary: 'Give a cluster no more machines; those it has stay',
      },
    },
    (request) => fleet.become(principalOf(request), request.params.cluster, 'draining'),
  );
  app.post(
    '/v1/clusters/:cluster([^:/]+)::resume',
    {
      schema: {
        ...schema,
        operationId: 'resumeCluster',
        summary: 'Give a cluster machines again that was drained or withdrawn',
      },
    },
    (request) => fleet.resume(principalOf(request), request.params.cluster),
  );
  app.post(
    '/v1/clusters/:cluster([^:/]+)::accept',
    {
      schema: {
        ...schema,
        operationId: 'acceptCluster',
        summary: 'Let a joining cluster in, whatever its conformance run says',
      },
    },
    (request) => fleet.become(principalOf(request), request.params.cluster, 'active'),
  );
  app.post(
    '/v1/clusters/:cluster([^:/]+)::revoke',
    {
      schema: {
        ...schema,
        operationId: 'revokeCluster',
        summary: "Refuse a cluster's key from this moment on; only a new token lets it in again",
      },
    },
    (request) => fleet.become(principalOf(request), request.params.cluster, 'revoked'),
  );
}

function withdrawalRoutes(instance: FastifyInstance, fleet: FleetService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/clusters/:cluster([^:/]+)::withdraw',
    {
      schema: {
        operationId: 'withdrawCluster',
        summary: 'Give a cluster no more machines, and delete those that are left after a notice',
        tags,
        params: ClusterParams,
        body: ClusterWithdrawalSchema,
        response: answers(202, ClusterSchema),
      },
    },
    async (request, reply) => {
      const { cluster } = request.params;
      const { noticeSeconds } = request.body;
      const shown = await fleet.withdraw(principalOf(request), cluster, noticeSeconds);
      return reply.status(202).send(shown);
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
        tags,
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
