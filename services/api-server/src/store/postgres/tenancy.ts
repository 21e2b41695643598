import { type ProjectId, TENANCY_LIMITS } from '@factory/contracts';
import { hasErrorCode } from '@factory/runtime';
import type { Knex } from 'knex';
import type {
  CloseProjectResult,
  CreateProjectResult,
  NewProject,
  ProjectContent,
  TenancyStore,
} from '../../tenancy/store.ts';
import type { PostgresDatabase } from './database.ts';
import { organisationRows, projectRows, type Row } from './rows.ts';
import { insertSubnet } from './subnet-rows.ts';

const UNIQUE_VIOLATION = '23505';

/** See {@link TenancyStore}. */
export function createPostgresTenancy(db: PostgresDatabase): TenancyStore {
  return {
    createOrganisation: (organisation, first) =>
      db.transaction(async (trx) => {
        const kept = await trx('organisations')
          .insert(organisationRows.toRow(organisation))
          .onConflict('name')
          .ignore()
          .returning('id');
        if (kept.length === 0) return false;
        await insertProject(trx, first);
        return true;
      }),
    listOrganisations: async ({ id, after, limit }) => {
      const select = db.knex('organisations').orderBy('id').limit(limit);
      if (id !== undefined) select.andWhere({ id });
      if (after !== undefined) select.andWhere('id', '>', after);
      const rows: readonly Row[] = await select;
      return rows.map(organisationRows.fromRow);
    },
    renameOrganisation: (id, name) => rename(db.knex, 'organisations', id, name),
    createProject: (created) => db.transaction((trx) => createProject(trx, created)),
    listProjects: async ({ organisationId, id, name, after, limit }) => {
      const select = db.knex('projects').orderBy('id').limit(limit);
      if (organisationId !== undefined) select.andWhere({ organisation_id: organisationId });
      if (id !== undefined) select.andWhere({ id });
      if (name !== undefined) select.andWhere({ name });
      if (after !== undefined) select.andWhere('id', '>', after);
      const rows: readonly Row[] = await select;
      return rows.map(projectRows.fromRow);
    },
    renameProject: (id, name) => rename(db.knex, 'projects', id, name),
    closeProject: (id, nowMs) => db.transaction((trx) => closeProject(trx, id, nowMs)),
  };
}

async function insertProject(trx: Knex.Transaction, created: NewProject): Promise<boolean> {
  const kept = await trx('projects')
    .insert(projectRows.toRow(created.project))
    .onConflict(['organisation_id', 'name'])
    .ignore()
    .returning('id');
  if (kept.length === 0) return false;
  await insertSubnet(trx, created.subnet);
  return true;
}

async function createProject(
  trx: Knex.Transaction,
  created: NewProject,
): Promise<CreateProjectResult> {
  const { organisationId } = created.project;
  // One at a time in an organisation, so that two can't both be the last one allowed.
  const owner = trx('organisations').where({ id: organisationId }).forNoKeyUpdate();
  if ((await owner.first('id')) === undefined) return { kind: 'notFound' };
  const open = { organisation_id: organisationId, closed_at_ms: null };
  const all = await trx('projects').where(open).count().first();
  if (Number(all?.count) >= TENANCY_LIMITS.projectsMax) return { kind: 'tooMany' };
  return (await insertProject(trx, created)) ? { kind: 'created' } : { kind: 'nameTaken' };
}

async function rename(
  knex: Knex,
  table: 'organisations' | 'projects',
  id: string,
  name: string,
): Promise<'renamed' | 'nameTaken'> {
  try {
    await knex(table).where({ id }).update({ name });
    return 'renamed';
  } catch (error) {
    if (hasErrorCode(error, UNIQUE_VIOLATION)) return 'nameTaken';
    throw error;
  }
}

async function closeProject(
  trx: Knex.Transaction,
  id: ProjectId,
  nowMs: number,
): Promise<CloseProjectResult> {
  const known = await trx('projects').where({ id }).first('organisation_id');
  if (known === undefined) return { kind: 'notFound' };
  // Whoever puts something into a project holds a lock on its row: nothing comes in meanwhile.
  await trx('organisations').where({ id: known.organisation_id }).forNoKeyUpdate().first('id');
  const project = await trx('projects').where({ id }).forUpdate().first('closed_at_ms');
  if (project === undefined) return { kind: 'notFound' };
  if (project.closed_at_ms !== null) return { kind: 'closed' };
  const content = await contentOf(trx, id);
  if (Object.values(content).some((count) => count > 0)) return { kind: 'inUse', content };
  const other = await trx('projects')
    .where({ organisation_id: known.organisation_id, closed_at_ms: null })
    .whereNot({ id })
    .first('id');
  if (other === undefined) return { kind: 'lastOne' };
  const subnets = trx('subnets').where({ project_id: id, deleted_at_ms: null });
  await trx('subnet_addresses').whereIn('subnet_id', subnets.clone().select('id')).delete();
  await subnets.update({ name: trx.ref('id'), vni: null, deleted_at_ms: nowMs });
  await trx('api_keys')
    .where({ project_id: id, revoked: false })
    .update({ revoked: true, revoked_at_ms: nowMs });
  await trx('projects').where({ id }).update({ closed_at_ms: nowMs });
  return { kind: 'closed' };
}

async function contentOf(trx: Knex.Transaction, id: ProjectId): Promise<ProjectContent> {
  const count = (table: string) =>
    `(select count(*)::int from ${table} where project_id = :id and state <> 'deleted')`;
  const { rows } = await trx.raw<{ rows: readonly ProjectContent[] }>(
    `select ${count('batches')} as batches, ${count('vms')} as vms,
       ${count('volumes')} as volumes, ${count('image_versions')} as images`,
    { id },
  );
  return rows[0] ?? { batches: 0, vms: 0, volumes: 0, images: 0 };
}
