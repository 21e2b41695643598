import type { ProjectId, SubnetId } from '@factory/contracts';
import type { Knex } from 'knex';
import type { NewSubnet, SubnetRecord } from '../../subnets/store.ts';
import { type Row, subnetRows } from './rows.ts';

/** The project's subnets that are not deleted. */
export function ofProject(knex: Knex, projectId: ProjectId): Knex.QueryBuilder {
  return knex('subnets').where({ project_id: projectId, deleted_at_ms: null });
}

/** Keeps a subnet under a number that is free and was not used for long; ignored if its name is. */
export async function insertSubnet(
  trx: Knex.Transaction,
  subnet: NewSubnet,
): Promise<SubnetRecord | undefined> {
  const record = { ...subnet, vni: await freeVni(trx) };
  const { securityRules } = record;
  const kept = await trx('subnets')
    .insert({ ...subnetRows.toRow(record), security_rules: JSON.stringify(securityRules) })
    .onConflict(['project_id', 'name'])
    .ignore()
    .returning('id');
  return kept.length === 0 ? undefined : record;
}

/** The sequence goes around: only after 16 million subnets it comes to numbers that are in use. */
async function freeVni(trx: Knex.Transaction): Promise<number> {
  for (;;) {
    const { rows } = await trx.raw<{ rows: readonly { vni: number; taken: boolean }[] }>(
      `select n.vni, exists (select 1 from subnets s where s.vni = n.vni) as taken
       from (select nextval('subnet_vnis') as vni) n`,
    );
    const [next] = rows;
    if (next !== undefined && !next.taken) return next.vni;
  }
}

/** Subnets by id, deleted ones too; for machines that are, or were, in them. */
export async function subnetsById(
  knex: Knex,
  ids: Iterable<SubnetId>,
): Promise<ReadonlyMap<SubnetId, SubnetRecord>> {
  const rows: readonly Row[] = await knex('subnets').whereIn('id', [...new Set(ids)]);
  return new Map(rows.map(subnetRows.fromRow).map((subnet) => [subnet.id, subnet]));
}

/** Locks subnets until the transaction ends: their addresses are given out meanwhile. */
export async function lockSubnets(
  trx: Knex.Transaction,
  ids: readonly SubnetId[],
): Promise<ReadonlyMap<SubnetId, SubnetRecord>> {
  const rows: readonly Row[] = await trx('subnets')
    .whereIn('id', [...ids])
    .orderBy('id')
    .forNoKeyUpdate();
  return new Map(rows.map(subnetRows.fromRow).map((subnet) => [subnet.id, subnet]));
}

/** The project's subnet of this name. */
export async function subnetNamed(
  knex: Knex,
  projectId: ProjectId,
  name: string,
): Promise<SubnetRecord | undefined> {
  const row: Row | undefined = await ofProject(knex, projectId).andWhere({ name }).first();
  return row === undefined ? undefined : subnetRows.fromRow(row);
}
