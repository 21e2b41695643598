import type { OrganisationId, ProjectId, QuotaAmounts, QuotaLimits } from '@factory/contracts';
import type { Knex } from 'knex';
import {
  aboveOf,
  decideQuota,
  type QuotaExcess,
  type QuotaStanding,
  sumOf,
} from '../../quota/rules.ts';
import type { QuotaStore, SetLimitsResult } from '../../quota/store.ts';
import type { PostgresDatabase } from './database.ts';

/** A project and its organisation, with their limits. */
interface Owner {
  readonly projectId: ProjectId;
  readonly organisationId: OrganisationId;
  readonly ofProject: QuotaLimits;
  readonly ofOrganisation: QuotaLimits;
}

/** See {@link QuotaStore}. */
export function createPostgresQuota(db: PostgresDatabase): QuotaStore {
  return {
    find: async (projectId) => {
      const owner = await ownerOf(db.knex, projectId);
      if (owner === undefined) return undefined;
      const [project, organisation] = await standingsOf(db.knex, owner, true);
      if (project === undefined || organisation === undefined) return undefined;
      const { organisationId } = owner;
      return { projectId, organisationId, project, organisation };
    },
    setOfProject: (projectId, organisationId, limits) =>
      db.transaction(async (trx) => {
        const owner = await ownerOf(trx, projectId);
        const isTheirs = organisationId === undefined || owner?.organisationId === organisationId;
        if (owner === undefined || !isTheirs) return { kind: 'notFound' };
        // The organisation's first, as everywhere.
        const ofOrganisation = await lock(trx, 'organisations', owner.organisationId);
        await lock(trx, 'projects', projectId);
        return setOfProject(trx, projectId, limits, ofOrganisation);
      }),
    setOfOrganisation: (id, limits) =>
      db.transaction(async (trx) => {
        await lock(trx, 'organisations', id);
        const count = await trx('organisations')
          .where({ id })
          .update({ limits: JSON.stringify(limits) });
        return { kind: count > 0 ? 'set' : 'notFound' };
      }),
  };
}

async function setOfProject(
  trx: Knex.Transaction,
  id: ProjectId,
  limits: QuotaLimits,
  ofOrganisation: QuotaLimits,
): Promise<SetLimitsResult> {
  const limit = aboveOf(limits, ofOrganisation);
  if (limit !== undefined) return { kind: 'above', limit, max: ofOrganisation[limit] ?? 0 };
  await trx('projects')
    .where({ id })
    .update({ limits: JSON.stringify(limits) });
  return { kind: 'set' };
}

/**
 * Whether a project may have so much more; undefined when it may. Until the transaction ends, nobody
 * else under the same limits gets an answer: call it before taking any other lock (lock order:
 * organisation, project, all else). `asked` is called under these locks.
 */
export async function takeQuota(
  trx: Knex.Transaction,
  projectId: ProjectId,
  asked: () => Promise<Partial<QuotaAmounts>> | Partial<QuotaAmounts>,
): Promise<QuotaExcess | undefined> {
  const owner = await ownerOf(trx, projectId);
  // Who has no limits waits for nobody.
  if (owner === undefined || (isEmpty(owner.ofProject) && isEmpty(owner.ofOrganisation))) {
    return undefined;
  }
  const locked: Owner = {
    ...owner,
    ...(isEmpty(owner.ofOrganisation)
      ? {}
      : { ofOrganisation: await lock(trx, 'organisations', owner.organisationId) }),
    ofProject: await lock(trx, 'projects', projectId),
  };
  const more = await asked();
  return decideQuota(await standingsOf(trx, locked, !isEmpty(locked.ofOrganisation)), more);
}

function isEmpty(limits: QuotaLimits): boolean {
  return Object.keys(limits).length === 0;
}

async function ownerOf(knex: Knex, projectId: ProjectId): Promise<Owner | undefined> {
  return knex('projects as p')
    .join('organisations as o', 'o.id', 'p.organisation_id')
    .where('p.id', projectId)
    .first({
      ...{ projectId: 'p.id', organisationId: 'o.id' },
      ...{ ofProject: 'p.limits', ofOrganisation: 'o.limits' },
    });
}

/** The limits as they are, with nobody else changing or using them meanwhile. */
async function lock(
  trx: Knex.Transaction,
  table: 'organisations' | 'projects',
  id: string,
): Promise<QuotaLimits> {
  const row = await trx(table).where({ id }).forNoKeyUpdate().first('limits');
  return row?.limits ?? {};
}

/** The project's first. */
async function standingsOf(
  knex: Knex,
  { projectId, organisationId, ofProject, ofOrganisation }: Owner,
  withOrganisation: boolean,
): Promise<readonly QuotaStanding[]> {
  const { rows } = await knex.raw<{
    rows: readonly (QuotaAmounts & { readonly isOwn: boolean })[];
  }>(USED, { projectId, organisationId: withOrganisation ? organisationId : null });
  const own = sumOf(rows.filter(({ isOwn }) => isOwn));
  const project: QuotaStanding = { scope: 'project', limits: ofProject, used: own };
  if (!withOrganisation) return [project];
  return [project, { scope: 'organisation', limits: ofOrganisation, used: sumOf(rows) }];
}

/**
 * What there is, in one statement, of the project and of the others of its organisation: see
 * {@link QuotaStore}. A machine that is being resized counts as what it was or will be, whichever is
 * more.
 */
const USED = `
  with scope as (
    select id from projects where id = :projectId or organisation_id = :organisationId
  ), machines as (
    select v.project_id, 1 as vms, greatest(v.vcpus, (old.size->>'vcpus')::int) as vcpus,
      greatest(v.memory_mib, (old.size->>'memoryMiB')::int) as memory_mib,
      greatest(v.disk_gib, (old.size->>'diskGiB')::int) as disk_gib
    from vms v cross join lateral (
      select case when (v.resized_from->>'generation')::int > v.applied_generation
        then v.resized_from end as size) old
    where v.project_id in (select id from scope) and v.state <> 'deleted'
  ), unplanned as (
    select b.project_id, greatest((b.claim->>'vms')::bigint - p.vms, 0) as vms,
      (b.claim->>'vcpus')::bigint - p.vcpus as vcpus,
      greatest((b.claim->>'memoryMiB')::bigint - p.memory_mib, 0) as memory_mib,
      greatest((b.claim->>'diskGiB')::bigint - p.disk_gib, 0) as disk_gib
    from batches b cross join lateral (
      select count(*) as vms, coalesce(sum(vcpus), 0) as vcpus,
        coalesce(sum(memory_mib), 0) as memory_mib, coalesce(sum(disk_gib), 0) as disk_gib
      from vms where batch_id = b.id) p
    where b.needs_planning and b.project_id in (select id from scope)
      and (b.claim->>'vcpus')::bigint > p.vcpus
  ), used as (
    select project_id, vms, vcpus, memory_mib, disk_gib, 0 as images, 0 as volumes,
      0 as volume_gib, 0 as subnets from machines
    union all select project_id, vms, vcpus, memory_mib, disk_gib, 0, 0, 0, 0 from unplanned
    union all select project_id, (claim->>'vms')::bigint, (claim->>'vcpus')::bigint,
      (claim->>'memoryMiB')::bigint, (claim->>'diskGiB')::bigint, 0, 0, 0, 0 from holds
      where project_id in (select id from scope) and batch_id is null
    union all select project_id, 0, 0, 0, 0, 1, 0, 0, 0 from image_versions
      where project_id in (select id from scope) and state <> 'failed'
    union all select project_id, 0, 0, 0, 0, 1, 0, 0, 0 from operations
      where project_id in (select id from scope) and state = 'running' and kind = 'makeImage'
    union all select project_id, 0, 0, 0, 0, 0, 1, size_gib, 0 from volumes
      where project_id in (select id from scope) and state <> 'deleted'
    union all select project_id, 0, 0, 0, 0, 0, 0, 0, 1 from subnets
      where project_id in (select id from scope) and deleted_at_ms is null
  )
  select project_id = :projectId as "isOwn", sum(vms)::bigint as vms, sum(vcpus)::bigint as vcpus,
    sum(memory_mib)::bigint as "memoryMiB", sum(disk_gib)::bigint as "diskGiB",
    sum(images)::bigint as images, sum(volumes)::bigint as volumes,
    sum(volume_gib)::bigint as "volumeGiB", sum(subnets)::bigint as subnets
  from used group by 1`;
