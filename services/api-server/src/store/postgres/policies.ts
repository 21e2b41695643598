import type { OrganisationId, ProjectId } from '@factory/contracts';
import type { Knex } from 'knex';
import { leftAfter, USAGE_HALF_LIFE_MS, type WaitingBatch } from '../../planning/fair-share.ts';
import type { PlanningSnapshot } from '../../planning/store.ts';
import type {
  ClusterPolicyView,
  FairShareRecord,
  FairShareStore,
  PolicyStore,
} from '../../policies/store.ts';
import type { PostgresDatabase } from './database.ts';

const VIEW = {
  id: 'p.id',
  clusterId: 'p.cluster_id',
  clusterName: 'k.name',
  organisationId: 'p.organisation_id',
  projectId: 'p.project_id',
  kind: 'p.kind',
  createdAtMs: 'p.created_at_ms',
};

/** See {@link PolicyStore}. */
export function createPostgresPolicies(db: PostgresDatabase): PolicyStore {
  const views = (knex: Knex) =>
    knex('cluster_policies as p').join('clusters as k', 'k.id', 'p.cluster_id').select(VIEW);
  return {
    list: async (): Promise<readonly ClusterPolicyView[]> =>
      views(db.knex).orderBy(['k.name', 'p.id']),
    put: (policy) =>
      db.transaction(async (trx) => {
        const { rows } = await trx.raw<{ rows: readonly { id: string }[] }>(
          `insert into cluster_policies
             (id, cluster_id, organisation_id, project_id, kind, created_at_ms)
           select :id, k.id, :organisationId, :projectId, :kind, :createdAtMs from clusters k
           where k.name = :clusterName
             and (:organisationId::text is null
               or exists (select 1 from organisations where id = :organisationId))
             and (:projectId::text is null
               or exists (select 1 from projects where id = :projectId))
           on conflict (cluster_id, coalesce(organisation_id, ''), coalesce(project_id, ''))
             do update set kind = excluded.kind
           returning id`,
          { ...policy },
        );
        const id = rows[0]?.id;
        if (id === undefined) return undefined;
        const [kept]: readonly ClusterPolicyView[] = await views(trx).where('p.id', id);
        return kept;
      }),
    delete: async (id) => (await db.knex('cluster_policies').where({ id }).delete()) > 0,
  };
}

/** All rules, and for whom they are asked. */
export async function policyOf(
  trx: Knex,
  projectId: ProjectId,
): Promise<NonNullable<PlanningSnapshot['policy']>> {
  const { rows } = await trx.raw<{
    rows: readonly {
      organisationId: OrganisationId;
      policies: NonNullable<PlanningSnapshot['policy']>['policies'] | null;
    }[];
  }>(
    `select organisation_id as "organisationId",
       (select jsonb_agg(jsonb_build_object('clusterId', cluster_id, 'kind', kind,
          'organisationId', organisation_id, 'projectId', project_id))
        from cluster_policies) as policies
     from projects where id = ?`,
    [projectId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`there is no project ${projectId}`);
  return { organisationId: row.organisationId, policies: row.policies ?? [] };
}

/** See {@link FairShareStore}. */
export function createPostgresFairShares(db: PostgresDatabase): FairShareStore {
  return {
    list: async (): Promise<readonly FairShareRecord[]> =>
      db.knex('fair_shares').orderBy('project_id').select({
        projectId: 'project_id',
        weight: 'weight',
        usedVcpus: 'used_vcpus',
        countedAtMs: 'counted_at_ms',
      }),
    setWeight: (projectId, weight, nowMs) =>
      db.transaction(async (trx) => {
        const { rows } = await trx.raw<{ rows: readonly unknown[] }>(
          `insert into fair_shares (project_id, weight, counted_at_ms)
           select id, :weight, :nowMs from projects where id = :projectId
           on conflict (project_id) do update set weight = excluded.weight returning project_id`,
          { projectId, weight, nowMs },
        );
        return rows.length > 0;
      }),
    count: (nowMs, olderThanMs) =>
      db.transaction(async (trx) => {
        await trx.raw(
          `insert into fair_shares (project_id, counted_at_ms)
           select distinct project_id, :nowMs::bigint from vms
           where cluster_id is not null and state <> 'deleted'
           on conflict do nothing`,
          { nowMs },
        );
        await trx.raw(
          `update fair_shares f set counted_at_ms = :nowMs,
             used_vcpus = f.used_vcpus * n.part + n.held * (1 - n.part)
           from (select s.project_id, coalesce(h.held, 0) as held,
                   power(0.5, (:nowMs - s.counted_at_ms)::float8 / :halfLifeMs) as part
                 from fair_shares s left join (
                   select project_id, sum(vcpus) as held from vms
                   where cluster_id is not null and state <> 'deleted' group by project_id
                 ) h using (project_id)
                 where s.counted_at_ms <= :nowMs::bigint - :olderThanMs) n
           where f.project_id = n.project_id`,
          { nowMs, olderThanMs, halfLifeMs: USAGE_HALF_LIFE_MS },
        );
      }),
  };
}

/** See `PlanningStore.waiting`. */
export async function waitingBatches(
  knex: Knex,
  nowMs: number,
  limit: number,
): Promise<readonly WaitingBatch[]> {
  const { rows } = await knex.raw<{
    rows: readonly (Omit<WaitingBatch, 'heldVcpus'> & { readonly countedAtMs: number })[];
  }>(
    `select b.id, b.project_id as "projectId", b.priority, b.preemptible, b.created_at_ms as "createdAtMs",
       b.planned_at_ms as "plannedAtMs", coalesce(f.weight, 1) as weight,
       coalesce(f.used_vcpus, 0) as "usedVcpus", coalesce(f.counted_at_ms, 0) as "countedAtMs"
     from batches b left join fair_shares f on f.project_id = b.project_id
     where b.needs_planning order by b.priority desc, b.planned_at_ms, b.id limit ?`,
    [limit],
  );
  const held = await heldBy(knex, [...new Set(rows.map((row) => row.projectId))]);
  return rows.map(({ countedAtMs, ...row }) => ({
    ...row,
    usedVcpus: row.usedVcpus * leftAfter(nowMs - countedAtMs),
    heldVcpus: held.get(row.projectId) ?? 0,
  }));
}

/** What projects hold; nothing is read for one alone, as there is nobody to compare it with. */
async function heldBy(
  knex: Knex,
  projectIds: readonly ProjectId[],
): Promise<ReadonlyMap<ProjectId, number>> {
  if (projectIds.length < 2) return new Map();
  const { rows } = await knex.raw<{ rows: readonly { project_id: ProjectId; held: number }[] }>(
    `select project_id, sum(vcpus) as held from vms
     where project_id = any(?) and cluster_id is not null and state <> 'deleted'
     group by project_id`,
    [[...projectIds]],
  );
  return new Map(rows.map((row) => [row.project_id, row.held]));
}
