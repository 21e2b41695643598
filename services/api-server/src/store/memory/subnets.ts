import { type ProjectId, SUBNET_LIMITS, type SubnetId } from '@factory/contracts';
import { cardsOf } from '../../subnets/cards.ts';
import { concernsHosts } from '../../subnets/network-change.ts';
import type {
  ChangeSubnetResult,
  CreateSubnetResult,
  DeleteSubnetResult,
  NewSubnet,
  SubnetPatch,
  SubnetRecord,
  SubnetStore,
  SubnetView,
} from '../../subnets/store.ts';
import type { MemoryDatabase } from './database.ts';
import { tellOfNetworks } from './network-change.ts';
import { takeQuota } from './quota.ts';

/** See {@link SubnetStore}. */
export function createMemorySubnets(db: MemoryDatabase): SubnetStore {
  return {
    create: async (subnet) => create(db, subnet),
    list: async ({ projectId, name, after = '', limit }) =>
      subnetsOf(db, projectId)
        .filter((subnet) => subnet.id > after && (name === undefined || subnet.name === name))
        .slice(0, limit)
        .map((subnet) => viewOf(db, subnet)),
    find: async (projectId, id) => {
      const subnet = find(db, projectId, id);
      return subnet === undefined ? undefined : viewOf(db, subnet);
    },
    change: async (projectId, id, patch) => change(db, projectId, id, patch),
    delete: async (projectId, id, nowMs) => deleteSubnet(db, projectId, id, nowMs),
  };
}

/** The project's subnets, in order of birth. */
export function subnetsOf(db: MemoryDatabase, projectId: ProjectId): readonly SubnetRecord[] {
  return [...db.subnets.values()]
    .filter((subnet) => subnet.projectId === projectId && subnet.deletedAtMs === null)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function subnetNamed(
  db: MemoryDatabase,
  projectId: ProjectId,
  name: string,
): SubnetRecord | undefined {
  return subnetsOf(db, projectId).find((subnet) => subnet.name === name);
}

/** Keeps a subnet under a number that no other has, going around. */
export function putSubnet(db: MemoryDatabase, subnet: NewSubnet): SubnetRecord {
  const taken = new Set([...db.subnets.values()].map((each) => each.vni));
  do db.lastVni = (db.lastVni % SUBNET_LIMITS.vniMax) + 1;
  while (taken.has(db.lastVni));
  const record = { ...subnet, vni: db.lastVni };
  db.subnets.set(record.id, record);
  return record;
}

function create(db: MemoryDatabase, subnet: NewSubnet): CreateSubnetResult {
  const excess = takeQuota(db, subnet.projectId, { subnets: 1 });
  if (excess !== undefined) return { kind: 'overQuota', excess };
  const all = subnetsOf(db, subnet.projectId);
  const same = all.find((each) => each.name === subnet.name);
  if (same !== undefined) return { kind: 'nameTaken', subnetId: same.id };
  if (all.length >= SUBNET_LIMITS.subnetsMax) return { kind: 'tooMany' };
  return { kind: 'created', view: viewOf(db, putSubnet(db, subnet)) };
}

function change(
  db: MemoryDatabase,
  projectId: ProjectId,
  id: SubnetId,
  patch: SubnetPatch,
): ChangeSubnetResult {
  const subnet = find(db, projectId, id);
  if (subnet === undefined) return { kind: 'notFound' };
  const same = subnetNamed(db, projectId, patch.name ?? subnet.name);
  if (same !== undefined && same.id !== id) return { kind: 'nameTaken', subnetId: same.id };
  const changed = { ...subnet, ...patch };
  db.subnets.set(id, changed);
  if (concernsHosts(patch)) {
    tellOfNetworks(
      db,
      [...db.vms.values()].filter((vm) => cardsOf(vm).some((card) => card.subnetId === id)),
    );
  }
  return { kind: 'changed', view: viewOf(db, changed) };
}

function deleteSubnet(
  db: MemoryDatabase,
  projectId: ProjectId,
  id: SubnetId,
  nowMs: number,
): DeleteSubnetResult {
  const subnet = find(db, projectId, id);
  if (subnet === undefined) return { kind: 'notFound' };
  // A machine may wait for an address, so what counts is what its batch says.
  const within = [...db.batches.values()].filter(
    (batch) => batch.state !== 'deleted' && batch.nics.some((nic) => nic.subnetId === id),
  );
  const vms = within.flatMap((batch) => db.vmsOf(batch.id));
  const vmCount = vms.filter((vm) => vm.state !== 'deleted').length;
  const waitingBatchCount = within.filter((batch) => batch.needsPlanning).length;
  if (vmCount + waitingBatchCount > 0) return { kind: 'inUse', vmCount, waitingBatchCount };
  db.addresses.forget(id);
  db.subnets.set(id, { ...subnet, vni: null, deletedAtMs: nowMs });
  return { kind: 'deleted' };
}

function find(db: MemoryDatabase, projectId: ProjectId, id: SubnetId): SubnetRecord | undefined {
  const subnet = db.subnets.get(id);
  return subnet?.projectId === projectId && subnet.deletedAtMs === null ? subnet : undefined;
}

function viewOf(db: MemoryDatabase, subnet: SubnetRecord): SubnetView {
  return { subnet, usedAddresses: db.addresses.used(subnet.id) };
}
