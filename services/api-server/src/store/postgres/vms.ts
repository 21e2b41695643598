import type { ProjectId, VmId, VmSpec } from '@factory/contracts';
import type { Knex } from 'knex';
import type { OperationStore } from '../../operations/store.ts';
import { specOf, wishCommands } from '../../planning/assignments.ts';
import { cardsOf } from '../../subnets/cards.ts';
import { growthOf } from '../../vms/spec-wishes.ts';
import type { VmRecord, VmStore, WishResult } from '../../vms/store.ts';
import type { WishDecision } from '../../vms/wishes.ts';
import { createPostgresBatchOperations } from './batch-operations.ts';
import { appendCommands, type PostgresDatabase, type WakeSet } from './database.ts';
import { takeQuota } from './quota.ts';
import { batchRows, operationRows, type Row, vmRows } from './rows.ts';
import { subnetsById } from './subnet-rows.ts';
import { listVms } from './vm-list.ts';

/** See {@link VmStore}. */
export function createPostgresVms(db: PostgresDatabase): VmStore {
  return {
    list: (query) => listVms(db.knex, query),
    find: (projectId, id) => find(db.knex, projectId, id),
    wish: (projectId, id, decide) =>
      db.transaction((trx, wakes) => wishIn(trx, wakes, { projectId, id }, decide)),
    resize: (projectId, id, decide) =>
      db.transaction(async (trx, wakes) => {
        const excess = await takeQuota(trx, projectId, async () => {
          const vm = await find(trx, projectId, id);
          return vm === undefined ? {} : growthOf(vm, decide(vm));
        });
        if (excess !== undefined) return { kind: 'overQuota', excess };
        return wishIn(trx, wakes, { projectId, id }, decide);
      }),
  };
}

/** See {@link VmStore.wish}; a part of a transaction. */
export async function wishIn(
  trx: Knex.Transaction,
  wakes: WakeSet,
  { projectId, id }: { readonly projectId: ProjectId; readonly id: VmId },
  decide: (vm: VmRecord) => WishDecision,
): Promise<WishResult> {
  // The batch's row first, as planning does: a machine can't get a cluster meanwhile.
  await trx.raw(
    'select 1 from batches where id = (select batch_id from vms where id = ?) for update',
    [id],
  );
  const vm = await find(trx, projectId, id, true);
  if (vm === undefined) return { kind: 'notFound' };
  const decision = decide(vm);
  if (decision.kind === 'refused') return decision;
  if (decision.kind === 'unchanged') return { kind: 'done', vm };
  // Without a newer wish its cluster has nothing to hear.
  const isWish = decision.vm.generation > vm.generation;
  await put(trx, wakes, decision.vm, isWish ? { hasNewSpec: decision.hasNewSpec === true } : null);
  return { kind: 'done', vm: decision.vm };
}

async function put(
  trx: Knex.Transaction,
  wakes: WakeSet,
  vm: VmRecord,
  wish: { readonly hasNewSpec: boolean } | null,
): Promise<void> {
  const { desired, generation, state, reason, message, image, vcpus } = vm;
  const spec = {
    ...{ image, image_version: vm.imageVersion, image_generation: vm.imageGeneration },
    ...{ vcpus, memory_mib: vm.memoryMiB, disk_gib: vm.diskGiB },
    resized_from: resizedFrom(trx, vm),
  };
  const volumes = {
    volumes: JSON.stringify(vm.volumes),
    leaving_volumes: JSON.stringify(vm.leavingVolumes),
  };
  const since = { state_since_ms: vm.stateSinceMs, ...volumes };
  const networks = {
    security_rules: vm.securityRules === null ? null : JSON.stringify(vm.securityRules),
    wants_external: vm.wantsExternal,
  };
  await trx('vms')
    .where('id', vm.id)
    .update({ desired, generation, state, reason, message, ...since, ...spec, ...networks });
  const told = wish?.hasNewSpec === true ? { ...vm, spec: await specNow(trx, vm) } : vm;
  const commands = wishCommands(wish === null ? [] : [told]);
  for (const [clusterId, list] of commands) await appendCommands(trx, clusterId, list);
  if (vm.clusterId === null && vm.state === 'pending') {
    await trx('batches')
      .where('id', vm.batchId)
      .update({ state: 'planning', needs_planning: true });
  }
  wakes.add({ clusters: [...commands.keys()], batches: [vm.batchId] });
}

/** Of an update: the size that it has until it has applied this wish of another. */
function resizedFrom(knex: Knex, { generation, vcpus, memoryMiB, diskGiB }: VmRecord): Knex.Raw {
  return knex.raw(
    `case when (vcpus, memory_mib, disk_gib) is distinct from (:vcpus::int, :memoryMiB::int, :diskGiB::int)
       then jsonb_build_object('vcpus', vcpus, 'memoryMiB', memory_mib, 'diskGiB', disk_gib,
         'generation', :generation::int)
       else resized_from end`,
    { vcpus, memoryMiB, diskGiB, generation },
  );
}

/** What its host is to make of it, as things stand. */
async function specNow(trx: Knex.Transaction, vm: VmRecord): Promise<VmSpec> {
  const batch: Row = await trx('batches').where('id', vm.batchId).first();
  const subnets = await subnetsById(
    trx,
    cardsOf(vm).map((card) => card.subnetId),
  );
  return specOf(vm, batchRows.fromRow(batch), subnets);
}

async function find(
  knex: Knex,
  projectId: ProjectId,
  id: VmId,
  isLocking = false,
): Promise<VmRecord | undefined> {
  const select = knex('vms')
    .where({ id, project_id: projectId })
    .first(...vmRows.columns);
  const row: Row | undefined = await (isLocking ? select.forUpdate() : select);
  return row === undefined ? undefined : vmRows.fromRow(row);
}

/** See {@link OperationStore}. */
export function createPostgresOperations(db: PostgresDatabase): OperationStore {
  return {
    ...createPostgresBatchOperations(db),
    start: (proposed, request, decide) =>
      db.transaction(async (trx, wakes) => {
        if (proposed.kind === 'makeImage') {
          const excess = await takeQuota(trx, proposed.projectId, () => ({ images: 1 }));
          if (excess !== undefined) return { kind: 'overQuota', excess };
        }
        // Its row is locked: it does not change clusters meanwhile.
        const vm = await find(trx, proposed.projectId, proposed.vmId, true);
        if (vm === undefined) return { kind: 'notFound' };
        const decision = decide(vm);
        if (decision.kind === 'refused') return decision;
        const { clusterId } = vm;
        if (clusterId === null) {
          return { kind: 'refused', detail: `${vm.name} has no cluster yet; wait for it.` };
        }
        const operation = { ...proposed, clusterId };
        await trx('operations').insert(operationRows.toRow(operation));
        const operations = [request];
        await appendCommands(trx, clusterId, [{ kind: 'operate', operations }]);
        wakes.add({ clusters: [clusterId] });
        return { kind: 'started', operation };
      }),
    find: async (projectId, id) => {
      const row: Row | undefined = await db
        .knex('operations')
        .where({ id, project_id: projectId })
        .first();
      return row === undefined ? undefined : operationRows.fromRow(row);
    },
  };
}
