import type { ProjectId, VmId, VmSpec } from '@factory/contracts';
import type { Silence } from '../../clusters/connection.ts';
import type { OperationStore } from '../../operations/store.ts';
import { specOf, wishCommands } from '../../planning/assignments.ts';
import { readVm } from '../../vms/reading.ts';
import { growthOf } from '../../vms/spec-wishes.ts';
import type { VmListQuery, VmRecord, VmStore, WishResult } from '../../vms/store.ts';
import type { WishDecision } from '../../vms/wishes.ts';
import { createMemoryBatchOperations } from './batch-operations.ts';
import type { MemoryDatabase } from './database.ts';
import { filtered, hasLabel } from './list-filter.ts';
import { takeQuota } from './quota.ts';

/** See {@link VmStore}. */
export function createMemoryVms(db: MemoryDatabase): VmStore {
  return {
    list: async (query) => list(db, query),
    find: async (projectId, id) => {
      const vm = db.vms.get(id);
      return vm?.projectId === projectId ? vm : undefined;
    },
    wish: async (projectId, id, decide) => wishIn(db, projectId, id, decide),
    resize: async (projectId, id, decide) => {
      const vm = db.vms.get(id);
      if (vm?.projectId !== projectId) return { kind: 'notFound' };
      const excess = takeQuota(db, projectId, growthOf(vm, decide(vm)));
      return excess === undefined
        ? wishIn(db, projectId, id, decide)
        : { kind: 'overQuota', excess };
    },
  };
}

/** See {@link VmStore.wish}. */
export function wishIn(
  db: MemoryDatabase,
  projectId: ProjectId,
  id: VmId,
  decide: (vm: VmRecord) => WishDecision,
): WishResult {
  const vm = db.vms.get(id);
  if (vm?.projectId !== projectId) return { kind: 'notFound' };
  const decision = decide(vm);
  if (decision.kind === 'refused') return decision;
  if (decision.kind === 'unchanged') return { kind: 'done', vm };
  // Without a newer wish its cluster has nothing to hear.
  const isWish = decision.vm.generation > vm.generation;
  put(db, decision.vm, isWish ? { hasNewSpec: decision.hasNewSpec === true } : null);
  return { kind: 'done', vm: decision.vm };
}

function put(
  db: MemoryDatabase,
  vm: VmRecord,
  wish: { readonly hasNewSpec: boolean } | null,
): void {
  keepSize(db, vm);
  db.putVm(vm);
  const told = wish?.hasNewSpec === true ? { ...vm, spec: specNow(db, vm) } : vm;
  const commands = wishCommands(wish === null ? [] : [told]);
  for (const [clusterId, list] of commands) db.appendCommands(clusterId, list);
  const batch = db.batches.get(vm.batchId);
  if (batch !== undefined && vm.clusterId === null && vm.state === 'pending') {
    db.batches.set(batch.id, { ...batch, state: 'planning', needsPlanning: true });
  }
  db.wake({ clusters: [...commands.keys()], batches: [vm.batchId] });
}

/** The size that it has until it has applied this wish of another. */
function keepSize(db: MemoryDatabase, { id, generation, ...next }: VmRecord): void {
  const old = db.vms.get(id);
  if (old === undefined) return;
  const { vcpus, memoryMiB, diskGiB } = old;
  const isSame = vcpus === next.vcpus && memoryMiB === next.memoryMiB && diskGiB === next.diskGiB;
  if (!isSame) db.resizedFrom.set(id, { vcpus, memoryMiB, diskGiB, generation });
}

/** What its host is to make of it, as things stand. */
function specNow(db: MemoryDatabase, vm: VmRecord): VmSpec {
  const batch = db.batches.get(vm.batchId);
  if (batch === undefined) throw new Error(`${vm.id} has no batch`);
  return specOf(vm, batch, db.subnets);
}

function list(db: MemoryDatabase, query: VmListQuery): readonly VmRecord[] {
  const { projectId, batchId, clusterId, hostName, withDeleted, limit, silent = [] } = query;
  const silence: Silence = new Map(silent.map((id) => [id, 0]));
  const { state, label } = query;
  const all = batchId === undefined ? [...db.vms.values()] : db.vmsOf(batchId);
  const shown = all.filter(
    (vm) =>
      vm.projectId === projectId &&
      (clusterId === undefined || vm.clusterId === clusterId) &&
      (hostName === undefined || vm.hostName === hostName) &&
      hasLabel(db.batches.get(vm.batchId)?.labels, label) &&
      (state === undefined || readVm(vm, silence).state === state) &&
      (withDeleted || state === 'deleted' || vm.state !== 'deleted'),
  );
  return filtered(shown, query).slice(0, limit);
}

/** See {@link OperationStore}. */
export function createMemoryOperations(db: MemoryDatabase): OperationStore {
  return {
    ...createMemoryBatchOperations(db),
    start: async (proposed, request, decide) => {
      const makes = proposed.kind === 'makeImage' ? { images: 1 } : {};
      const excess = takeQuota(db, proposed.projectId, makes);
      if (excess !== undefined) return { kind: 'overQuota', excess };
      const vm = db.vms.get(proposed.vmId);
      if (vm?.projectId !== proposed.projectId) return { kind: 'notFound' };
      const decision = decide(vm);
      if (decision.kind === 'refused') return decision;
      const { clusterId } = vm;
      if (clusterId === null) {
        return { kind: 'refused', detail: `${vm.name} has no cluster yet; wait for it.` };
      }
      const operation = { ...proposed, clusterId };
      db.operations.set(operation.id, operation);
      const operations = [request];
      db.appendCommands(clusterId, [{ kind: 'operate', operations }]);
      db.wake({ clusters: [clusterId] });
      return { kind: 'started', operation };
    },
    find: async (projectId, id) => {
      const operation = db.operations.get(id);
      return operation?.projectId === projectId ? operation : undefined;
    },
  };
}
