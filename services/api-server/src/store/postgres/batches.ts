import { type BatchId, ID_PREFIXES, type ProjectId, type VmId } from '@factory/contracts';
import type { Knex } from 'knex';
import type {
  BatchListQuery,
  BatchNic,
  BatchPatch,
  BatchRecord,
  BatchStore,
  BatchTerms,
  BatchView,
  CreateBatchResult,
  Idempotency,
  NewBatch,
  StateTally,
  WaitingTally,
} from '../../batches/store.ts';
import { DEFAULT_SUBNET, fieldOfCard, resolveCards } from '../../subnets/cards.ts';
import { machinesOf } from '../../volumes/bind.ts';
import { deleteLocked } from './batch-ending.ts';
import { type PostgresDatabase, RolledBack, type WakeSet } from './database.ts';
import { spendHold } from './holds.ts';
import { applyFilter, batchesWith } from './list-filter.ts';
import { tellOfNetworks } from './network-change.ts';
import { takeQuota } from './quota.ts';
import { batchRows, type Row, subnetRows, termRows } from './rows.ts';
import { insertSubnet, subnetNamed } from './subnet-rows.ts';
import { bindInStore } from './volumes.ts';

/** See {@link BatchStore}. */
export function createPostgresBatches(db: PostgresDatabase): BatchStore {
  return {
    create: (input, idempotency, nowMs) => create(db, input, idempotency, nowMs),
    list: (query) => list(db.knex, query),
    find: (projectId, id) => find(db.knex, projectId, id),
    keyed: (projectId, key) => keyed(db.knex, projectId, key),
    change: async (projectId, id, patch) => {
      const isKnown = await db.transaction((trx, wakes) =>
        change(trx, wakes, projectId, id, patch),
      );
      return isKnown ? find(db.knex, projectId, id) : undefined;
    },
    delete: (projectId, id, nowMs) => deleteBatch(db, projectId, id, nowMs),
  };
}

async function create(
  db: PostgresDatabase,
  input: NewBatch,
  idempotency: Idempotency | undefined,
  nowMs: number,
): Promise<CreateBatchResult> {
  try {
    return await db.transaction(async (trx) => {
      const repeated = await keepKey(trx, input.batch, idempotency, nowMs);
      if (repeated !== undefined) return repeated;
      if (!(await spendFor(trx, input, nowMs))) throw new RolledBack({ kind: 'holdGone' } as const);
      const refusal = (await takeForBatch(trx, input)) ?? (await insertBatch(trx, input));
      if (refusal !== undefined) throw new RolledBack(refusal);
      return { kind: 'created' } as const;
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.result;
    throw error;
  }
}

async function keyed(
  knex: Knex,
  projectId: ProjectId,
  key: string,
): Promise<Omit<Idempotency, 'key'> | undefined> {
  return knex('idempotency_keys')
    .where({ project_id: projectId, key })
    .first({ requestHash: 'request_hash', answer: 'answer' });
}

async function change(
  trx: Knex.Transaction,
  wakes: WakeSet,
  projectId: ProjectId,
  id: BatchId,
  { securityRules, labels, ...lifetime }: BatchPatch,
): Promise<boolean> {
  const columns = {
    ...(securityRules === undefined ? {} : { security_rules: JSON.stringify(securityRules) }),
    ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
    ...(lifetime.expiresAtMs === undefined
      ? {}
      : { ...termRows.toPartialRow(lifetime), warned_at_ms: null }),
  };
  const batch = trx('batches').where({ id, project_id: projectId });
  if (Object.keys(columns).length === 0) return (await batch.first('id')) !== undefined;
  if ((await batch.update(columns)) === 0) return false;
  if (securityRules !== undefined) await tellOfNetworks(trx, wakes, { batchId: id });
  wakes.add({ batches: [id] });
  return true;
}

/** `undefined` when the key is new, or there is none. */
async function keepKey(
  trx: Knex.Transaction,
  batch: BatchRecord,
  idempotency: Idempotency | undefined,
  nowMs: number,
): Promise<CreateBatchResult | undefined> {
  if (idempotency === undefined) return undefined;
  const { key, requestHash, answer } = idempotency;
  const kept = await trx('idempotency_keys')
    .insert({
      project_id: batch.projectId,
      key,
      request_hash: requestHash,
      batch_id: batch.id,
      answer: JSON.stringify(answer),
      created_at_ms: nowMs,
    })
    .onConflict(['project_id', 'key'])
    .ignore()
    .returning('key');
  if (kept.length > 0) return undefined;
  const known = await keyed(trx, batch.projectId, key);
  if (known?.requestHash !== requestHash) return { kind: 'keyReused' };
  return { kind: 'repeated', answer: known.answer };
}

/** Its hold counts towards the quota no more. */
async function spendFor(
  trx: Knex.Transaction,
  { holdId, batch: { projectId, id } }: NewBatch,
  nowMs: number,
): Promise<boolean> {
  return holdId === undefined || spendHold(trx, projectId, holdId, id, nowMs);
}

/** Why the project may not have as much as the batch can come to. */
async function takeForBatch(
  trx: Knex.Transaction,
  { batch: { projectId }, claim, cards }: NewBatch,
): Promise<CreateBatchResult | undefined> {
  const excess = await takeQuota(trx, projectId, async () => {
    const makesSubnet = cards.some((card) => card.subnet === DEFAULT_SUBNET)
      ? (await subnetNamed(trx, projectId, DEFAULT_SUBNET)) === undefined
      : false;
    return { ...claim, subnets: makesSubnet ? 1 : 0 };
  });
  return excess === undefined ? undefined : { kind: 'overQuota', excess };
}

/** Why the batch can't be; `undefined` when it is kept. */
async function insertBatch(
  trx: Knex.Transaction,
  input: NewBatch,
): Promise<CreateBatchResult | undefined> {
  const { batch, claim, terms } = input;
  // One creation of a name at a time; the index of names would refuse the second with an error.
  await trx.raw("select pg_advisory_xact_lock(hashtext('batches'), hashtext(?))", [
    `${batch.projectId} ${batch.name}`,
  ]);
  const same: Row | undefined = await trx('batches')
    .where({ project_id: batch.projectId, name: batch.name })
    .andWhereNot('state', 'deleted')
    .first('id');
  if (same !== undefined) return { kind: 'nameTaken', batchId: same.id as BatchId };
  const resolved = await resolve(trx, input);
  if (resolved.kind !== 'sound') return resolved;
  const { nics } = resolved;
  const binding = await bindInStore(trx, batch.projectId, input.volumes, machinesOf(batch.size));
  if (binding.kind === 'refused') return { kind: 'volumeUnusable', detail: binding.detail };
  const { mounts, clusterId } = binding.volumes;
  const { size, labels, wishes, sshPublicKeys, securityRules } = batch;
  await trx('batches').insert({
    ...batchRows.toRow(batch),
    volumes: JSON.stringify(mounts),
    volume_cluster_id: clusterId,
    claim: JSON.stringify(claim),
    ...termRows.toRow(terms),
    fill: JSON.stringify(terms.fill),
    size: JSON.stringify(size),
    labels: JSON.stringify(labels),
    wishes: JSON.stringify(wishes),
    clusters: JSON.stringify(batch.clusters),
    ssh_public_keys: JSON.stringify(sshPublicKeys),
    nics: JSON.stringify(nics),
    security_rules: JSON.stringify(securityRules),
  });
  return undefined;
}

/** The batch's cards; their subnets can't be deleted until the transaction ends. */
async function resolve(trx: Knex.Transaction, { batch, cards, defaultSubnet }: NewBatch) {
  const names = cards.map((card) => card.subnet);
  const { projectId } = batch;
  if (names.includes(DEFAULT_SUBNET)) {
    const known = await subnetNamed(trx, projectId, DEFAULT_SUBNET);
    if (known === undefined) await insertSubnet(trx, defaultSubnet);
  }
  const rows: readonly Row[] = await trx('subnets')
    .where({ project_id: projectId, deleted_at_ms: null })
    .andWhere((either) => either.whereIn('name', names).orWhereIn('id', names))
    .orderBy('id')
    // Not held up by planning, which gives out their addresses meanwhile.
    .forKeyShare();
  const resolved = resolveCards(cards, rows.map(subnetRows.fromRow), batch);
  if (resolved.kind !== 'sound') return resolved;
  return (await addressTaken(trx, resolved.nics)) ?? resolved;
}

/** A look ahead: planning finds out for sure. */
async function addressTaken(trx: Knex.Transaction, nics: readonly BatchNic[]) {
  for (const [index, { subnetId, offset }] of nics.entries()) {
    if (offset === null) continue;
    const row: Row | undefined = await trx('subnet_addresses')
      .where({ subnet_id: subnetId, address_offset: offset })
      .whereNotNull('vm_id')
      .first('vm_id');
    const field = fieldOfCard(index, 'ipAddress');
    if (row !== undefined) return { kind: 'addressTaken', field, vmId: row.vm_id as VmId } as const;
  }
  return undefined;
}

async function list(knex: Knex, query: BatchListQuery): Promise<readonly BatchView[]> {
  const { projectId, state, label, withDeleted, limit } = query;
  const select = knex('batches').where('project_id', projectId).limit(limit);
  if (label !== undefined) select.whereIn('id', batchesWith(knex, projectId, label));
  applyFilter(select, projectId, query, ID_PREFIXES.batch);
  if (state !== undefined) select.andWhere('state', state);
  else if (!withDeleted) select.andWhereNot('state', 'deleted');
  const columns = [...batchRows.columns, ...termRows.columns];
  const rows: readonly Row[] = await select.select(...columns);
  return viewsOf(knex, rows);
}

async function find(knex: Knex, projectId: ProjectId, id: BatchId): Promise<BatchView | undefined> {
  const row: Row | undefined = await knex('batches').where({ id, project_id: projectId }).first();
  if (row === undefined) return undefined;
  const [view] = await viewsOf(knex, [row]);
  return view;
}

/** Counts the machines of batches, all in one statement, from an index alone. */
async function viewsOf(knex: Knex, found: readonly Row[]): Promise<readonly BatchView[]> {
  if (found.length === 0) return [];
  const batches = found.map(batchRows.fromRow);
  const ids = batches.map((batch) => batch.id);
  const { rows } = await knex.raw<{ rows: readonly (StateTally & { batchId: BatchId })[] }>(
    `select batch_id as "batchId", state, cluster_id as "clusterId", count(*) as count,
       count(*) filter (where guest_ready) as "readyCount"
     from vms where batch_id = any(?) group by batch_id, state, cluster_id order by state`,
    [[...ids]],
  );
  const isWaiting = rows.some(({ state }) => state === 'pending' || state === 'scheduled');
  const waiting = isWaiting ? await waitingOf(knex, ids) : [];
  return batches.map((batch, index) => ({
    batch,
    terms: termsOf(found[index] ?? {}),
    tallies: rows
      .filter((row) => row.batchId === batch.id)
      .map(({ state, clusterId, count, readyCount }) => ({ state, clusterId, count, readyCount })),
    waiting: waiting
      .filter((row) => row.batchId === batch.id)
      .map(({ message, count }) => ({ message, count })),
  }));
}

/** Batches of before there were terms have none. */
function termsOf(row: Row): BatchTerms {
  const terms = termRows.fromRow(row);
  return { ...terms, fill: terms.fill ?? 'bestEffort' };
}

async function waitingOf(
  knex: Knex,
  ids: readonly BatchId[],
): Promise<readonly (WaitingTally & { batchId: BatchId })[]> {
  const { rows } = await knex.raw(
    `select batch_id as "batchId", message, count(*) as count from vms
     where batch_id = any(?) and state in ('pending', 'scheduled') and message is not null
       and cluster_id is not null
     group by batch_id, message`,
    [[...ids]],
  );
  return rows;
}

async function deleteBatch(
  db: PostgresDatabase,
  projectId: ProjectId,
  id: BatchId,
  nowMs: number,
): Promise<BatchView | undefined> {
  const isKnown = await db.transaction(async (trx, wakes) => {
    const row: Row | undefined = await trx('batches')
      .where({ id, project_id: projectId })
      .forUpdate()
      .first('state');
    if (row === undefined) return false;
    if (row.state === 'deleted') return true;
    await deleteLocked(trx, wakes, id, nowMs);
    return true;
  });
  return isKnown ? find(db.knex, projectId, id) : undefined;
}
