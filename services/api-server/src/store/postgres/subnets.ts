import { type ProjectId, SUBNET_LIMITS, type SubnetId } from '@factory/contracts';
import type { Knex } from 'knex';
import { concernsHosts } from '../../subnets/network-change.ts';
import type {
  ChangeSubnetResult,
  CreateSubnetResult,
  DeleteSubnetResult,
  NewSubnet,
  SubnetPatch,
  SubnetStore,
  SubnetView,
} from '../../subnets/store.ts';
import type { PostgresDatabase, WakeSet } from './database.ts';
import { tellOfNetworks } from './network-change.ts';
import { takeQuota } from './quota.ts';
import { type Row, subnetRows } from './rows.ts';
import { insertSubnet, ofProject, subnetNamed } from './subnet-rows.ts';

/** See {@link SubnetStore}. */
export function createPostgresSubnets(db: PostgresDatabase): SubnetStore {
  return {
    create: (subnet) => db.transaction((trx) => create(trx, subnet)),
    list: (query) => list(db.knex, query),
    find: (projectId, id) => find(db.knex, projectId, id),
    change: (projectId, id, patch) =>
      db.transaction((trx, wakes) => change(trx, wakes, projectId, id, patch)),
    delete: (projectId, id, nowMs) =>
      db.transaction((trx) => deleteSubnet(trx, projectId, id, nowMs)),
  };
}

async function create(trx: Knex.Transaction, subnet: NewSubnet): Promise<CreateSubnetResult> {
  const { projectId, name } = subnet;
  const excess = await takeQuota(trx, projectId, () => ({ subnets: 1 }));
  if (excess !== undefined) return { kind: 'overQuota', excess };
  // One at a time in a project, so that two can't both be the last one allowed.
  await trx.raw("select pg_advisory_xact_lock(hashtext('subnets'), hashtext(?))", [projectId]);
  const same = await subnetNamed(trx, projectId, name);
  if (same !== undefined) return { kind: 'nameTaken', subnetId: same.id };
  const { count } = await ofProject(trx, projectId).count().first();
  if (count >= SUBNET_LIMITS.subnetsMax) return { kind: 'tooMany' };
  const kept = await insertSubnet(trx, subnet);
  if (kept === undefined) throw new Error(`${name} came into being beside the lock`);
  return { kind: 'created', view: { subnet: kept, usedAddresses: 0 } };
}

async function list(
  knex: Knex,
  { projectId, name, after, limit }: Parameters<SubnetStore['list']>[0],
): Promise<readonly SubnetView[]> {
  const select = ofProject(knex, projectId).orderBy('id').limit(limit);
  if (name !== undefined) select.andWhere({ name });
  if (after !== undefined) select.andWhere('id', '>', after);
  return (await select.select('*', knex.raw(USED))).map(viewOf);
}

/** Addresses of a subnet that machines have. */
const USED = `(select count(*) from subnet_addresses a
  where a.subnet_id = subnets.id and a.vm_id is not null) as used`;

function viewOf(row: Row): SubnetView {
  return { subnet: subnetRows.fromRow(row), usedAddresses: Number(row.used) };
}

async function find(
  knex: Knex,
  projectId: ProjectId,
  id: SubnetId,
): Promise<SubnetView | undefined> {
  const select = ofProject(knex, projectId).andWhere({ id });
  const row: Row | undefined = await select.first('*', knex.raw(USED));
  return row === undefined ? undefined : viewOf(row);
}

async function change(
  trx: Knex.Transaction,
  wakes: WakeSet,
  projectId: ProjectId,
  id: SubnetId,
  patch: SubnetPatch,
): Promise<ChangeSubnetResult> {
  await trx.raw("select pg_advisory_xact_lock(hashtext('subnets'), hashtext(?))", [projectId]);
  const locked = ofProject(trx, projectId).andWhere({ id }).forNoKeyUpdate();
  const row: Row | undefined = await locked.first();
  if (row === undefined) return { kind: 'notFound' };
  const { name, egress, securityRules } = { ...subnetRows.fromRow(row), ...patch };
  const same = await subnetNamed(trx, projectId, name);
  if (same !== undefined && same.id !== id) return { kind: 'nameTaken', subnetId: same.id };
  const security_rules = JSON.stringify(securityRules);
  await trx('subnets').where({ id }).update({ name, egress, security_rules });
  if (concernsHosts(patch)) await tellOfNetworks(trx, wakes, { subnetId: id });
  const view = await find(trx, projectId, id);
  return view === undefined ? { kind: 'notFound' } : { kind: 'changed', view };
}

async function deleteSubnet(
  trx: Knex.Transaction,
  projectId: ProjectId,
  id: SubnetId,
  nowMs: number,
): Promise<DeleteSubnetResult> {
  const row: Row | undefined = await ofProject(trx, projectId).andWhere({ id }).forUpdate().first();
  if (row === undefined) return { kind: 'notFound' };
  // A machine may wait for an address, so what counts is what its batch says.
  const { rows } = await trx.raw<{ rows: readonly { vms: number; batches: number }[] }>(
    `with within as (
       select id, needs_planning from batches where project_id = :projectId
         and state <> 'deleted' and (nics @> :nics::jsonb or (nics = '[]' and :isDefault)))
     select (select count(*) from vms
              where batch_id in (select id from within) and state <> 'deleted') as vms,
       (select count(*) from within where needs_planning) as batches`,
    {
      projectId,
      nics: JSON.stringify([{ subnetId: id }]),
      isDefault: row.name === 'default',
    },
  );
  const { vms: vmCount = 0, batches: waitingBatchCount = 0 } = rows[0] ?? {};
  if (vmCount + waitingBatchCount > 0) return { kind: 'inUse', vmCount, waitingBatchCount };
  await trx('subnet_addresses').where({ subnet_id: id }).delete();
  await trx('subnets').where({ id }).update({ name: id, vni: null, deleted_at_ms: nowMs });
  return { kind: 'deleted' };
}
