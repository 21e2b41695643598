import {
  OrganisationIdSchema,
  POLICY_KINDS,
  PROBLEMS,
  ProjectIdSchema,
  stringEnum,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { answers } from '../http/schemas.ts';
import { USAGE_HALF_LIFE_MS } from '../planning/fair-share.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ClusterPolicyView, FairShareRecord } from './store.ts';

const tags = ['scheduling'];
const PolicyIdSchema = Type.String({ pattern: '^pol_[0-9a-f]{32}$' });

const PolicyRequestSchema = Type.Object(
  {
    /** By name. */
    cluster: Type.String({ minLength: 1, maxLength: 63 }),
    kind: stringEnum(POLICY_KINDS),
    /** For all its projects that have no rules of their own. */
    organisationId: Type.Optional(OrganisationIdSchema),
    projectId: Type.Optional(ProjectIdSchema),
  },
  { additionalProperties: false },
);

const PolicySchema = Type.Object({
  id: PolicyIdSchema,
  cluster: Type.String(),
  kind: stringEnum(POLICY_KINDS),
  organisationId: Type.Union([OrganisationIdSchema, Type.Null()]),
  projectId: Type.Union([ProjectIdSchema, Type.Null()]),
  createdAt: Type.String({ format: 'date-time' }),
});

const FairShareSchema = Type.Object({
  projectId: ProjectIdSchema,
  weight: Type.Number(),
  /** vCPUs held on average; what was held an hour ago counts half. */
  usedVcpus: Type.Number(),
  halfLifeMs: Type.Integer(),
});

interface PolicyRouteParts {
  readonly store: Pick<ApiStore, 'policies' | 'fairShares'>;
  readonly clock: Clock;
  readonly newId: IdGenerator;
}

/** `/v1/cluster-policies`: which clusters organisations and projects may use. */
export function policyRoutes(instance: FastifyInstance, parts: PolicyRouteParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { store, clock, newId } = parts;
  app.get(
    '/v1/cluster-policies',
    {
      schema: {
        operationId: 'listClusterPolicies',
        summary: 'List which clusters are allowed, preferred or dedicated, and for whom',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(PolicySchema) })),
      },
    },
    async () => ({ items: (await store.policies.list()).map(showPolicy) }),
  );
  app.post(
    '/v1/cluster-policies',
    {
      schema: {
        operationId: 'putClusterPolicy',
        summary: 'Set the rule on a cluster for an organisation or a project',
        tags,
        body: PolicyRequestSchema,
        response: answers(200, PolicySchema),
      },
    },
    async ({ body }) => {
      const { cluster, kind, organisationId = null, projectId = null } = body;
      if ((organisationId === null) === (projectId === null)) {
        const detail = 'give either organisationId or projectId';
        throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'projectId' });
      }
      const kept = await store.policies.put({
        ...{ id: newId('pol'), clusterName: cluster, organisationId, projectId, kind },
        createdAtMs: clock.nowMs(),
      });
      if (kept !== undefined) return showPolicy(kept);
      throw new ProblemError(
        PROBLEMS.notFound,
        `There is no cluster ${cluster}, or nobody whom the rule is for.`,
      );
    },
  );
  app.delete(
    '/v1/cluster-policies/:id',
    {
      schema: {
        operationId: 'deleteClusterPolicy',
        summary: 'Remove a rule on a cluster',
        tags,
        params: Type.Object({ id: PolicyIdSchema }),
        response: answers(200, Type.Object({})),
      },
    },
    async ({ params }) => {
      if (await store.policies.delete(params.id)) return {};
      throw new ProblemError(PROBLEMS.notFound, `There is no rule ${params.id}.`);
    },
  );
  fairShareRoutes(instance, parts);
}

/** `/v1/fair-shares`: whose turn it is when clusters are full. */
function fairShareRoutes(instance: FastifyInstance, { store, clock }: PolicyRouteParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/fair-shares',
    {
      schema: {
        operationId: 'listFairShares',
        summary: 'List the weights of projects and what they have held',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(FairShareSchema) })),
      },
    },
    async () => ({ items: (await store.fairShares.list()).map(showShare) }),
  );
  app.put(
    '/v1/fair-shares/:id',
    {
      schema: {
        operationId: 'setFairShare',
        summary: 'Set the weight of a project: one of 2 gets twice what one of 1 gets',
        tags,
        params: Type.Object({ id: ProjectIdSchema }),
        body: Type.Object(
          { weight: Type.Number({ exclusiveMinimum: 0, maximum: 1_000 }) },
          { additionalProperties: false },
        ),
        response: answers(200, Type.Object({ projectId: ProjectIdSchema, weight: Type.Number() })),
      },
    },
    async ({ params: { id: projectId }, body: { weight } }) => {
      if (await store.fairShares.setWeight(projectId, weight, clock.nowMs())) {
        return { projectId, weight };
      }
      throw new ProblemError(PROBLEMS.notFound, `There is no project ${projectId}.`);
    },
  );
}

function showPolicy(policy: ClusterPolicyView) {
  const { id, clusterName: cluster, kind, organisationId, projectId, createdAtMs } = policy;
  const createdAt = new Date(createdAtMs).toISOString();
  return { id, cluster, kind, organisationId, projectId, createdAt };
}

/** As it was counted last, within a minute. */
function showShare({ projectId, weight, usedVcpus }: FairShareRecord) {
  const used = Math.round(usedVcpus * 100) / 100;
  return { projectId, weight, usedVcpus: used, halfLifeMs: USAGE_HALF_LIFE_MS };
}
