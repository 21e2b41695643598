import type {
  BatchListQuery,
  BatchRecord,
  BatchStore,
  CreateBatchResult,
  Idempotency,
  NewBatch,
} from '../../batches/store.ts';
import { DEFAULT_SUBNET, fieldOfCard, resolveCards } from '../../subnets/cards.ts';
import { machinesOf } from '../../volumes/bind.ts';
import { deleteBatch } from './batch-ending.ts';
import type { MemoryDatabase } from './database.ts';
import { spendHold } from './holds.ts';
import { filtered, hasLabel } from './list-filter.ts';
import { tellOfNetworks } from './network-change.ts';
import { takeQuota } from './quota.ts';
import { putSubnet, subnetNamed, subnetsOf } from './subnets.ts';
import { bindInMemory } from './volumes.ts';

/** See {@link BatchStore}. */
export function createMemoryBatches(db: MemoryDatabase): BatchStore {
  return {
    create: async (input, idempotency, nowMs) => create(db, input, idempotency, nowMs),
    list: async (query) => list(db, query).map((batch) => db.viewOf(batch)),
    find: async (projectId, id) => {
      const batch = db.batches.get(id);
      return batch?.projectId === projectId ? db.viewOf(batch) : undefined;
    },
    keyed: async (projectId, key) => db.idempotency.get(`${projectId} ${key}`),
    change: async (projectId, id, patch) => {
      const batch = db.batches.get(id);
      if (batch?.projectId !== projectId) return undefined;
      const { securityRules, labels, ...lifetime } = patch;
      const changed = {
        ...batch,
        securityRules: securityRules ?? batch.securityRules,
        labels: labels ?? batch.labels,
      };
      db.batches.set(id, changed);
      const { terms } = db.viewOf(batch);
      if (lifetime.expiresAtMs !== undefined) {
        db.terms.set(id, { ...terms, ...lifetime, warnedAtMs: null });
      }
      if (securityRules !== undefined) tellOfNetworks(db, db.vmsOf(id));
      db.wake({ batches: [id] });
      return db.viewOf(changed);
    },
    delete: async (projectId, id, nowMs) => {
      const batch = db.batches.get(id);
      if (batch?.projectId !== projectId) return undefined;
      const deleted = deleteBatch(db, batch, nowMs);
      return db.viewOf(deleted);
    },
  };
}

function create(
  db: MemoryDatabase,
  input: NewBatch,
  idempotency: Idempotency | undefined,
  nowMs: number,
): CreateBatchResult {
  const { batch } = input;
  const key = `${batch.projectId} ${idempotency?.key}`;
  const known = idempotency === undefined ? undefined : db.idempotency.get(key);
  if (known !== undefined) {
    return known.requestHash === idempotency?.requestHash
      ? { kind: 'repeated', answer: known.answer }
      : { kind: 'keyReused' };
  }
  const { holdId } = input;
  const hold = holdId === undefined ? undefined : db.holds.get(holdId);
  if (holdId !== undefined && !spendHold(db, batch.projectId, holdId, batch.id, nowMs)) {
    return { kind: 'holdGone' };
  }
  const refused = keep(db, input);
  if (refused !== undefined && hold !== undefined) db.holds.set(hold.id, hold);
  if (refused !== undefined) return refused;
  if (idempotency !== undefined) {
    const { requestHash, answer } = idempotency;
    db.idempotency.set(key, { requestHash, answer, createdAtMs: nowMs });
  }
  return { kind: 'created' };
}

/** Why the batch can't be; undefined when it is kept. */
function keep(db: MemoryDatabase, input: NewBatch): CreateBatchResult | undefined {
  const { batch } = input;
  const makesSubnet =
    input.cards.some((card) => card.subnet === DEFAULT_SUBNET) &&
    subnetNamed(db, batch.projectId, DEFAULT_SUBNET) === undefined;
  const asked = { ...input.claim, subnets: makesSubnet ? 1 : 0 };
  const excess = takeQuota(db, batch.projectId, asked);
  if (excess !== undefined) return { kind: 'overQuota', excess };
  const all = [...db.batches.values()].filter((each) => each.projectId === batch.projectId);
  const same = all.find((each) => each.name === batch.name && each.state !== 'deleted');
  if (same !== undefined) return { kind: 'nameTaken', batchId: same.id };
  const resolved = resolve(db, input);
  if (resolved.kind !== 'sound') return resolved;
  const binding = bindInMemory(db, batch.projectId, input.volumes, machinesOf(batch.size));
  if (binding.kind === 'refused') return { kind: 'volumeUnusable', detail: binding.detail };
  const { mounts: volumes, clusterId: volumeClusterId } = binding.volumes;
  const { nics } = resolved;
  db.batches.set(batch.id, { ...batch, nics, volumes, volumeClusterId });
  db.claims.set(batch.id, input.claim);
  db.terms.set(batch.id, input.terms);
  return undefined;
}

function resolve(db: MemoryDatabase, { batch, cards, defaultSubnet }: NewBatch) {
  const { projectId } = batch;
  const needsDefault = cards.some((card) => card.subnet === DEFAULT_SUBNET);
  const known = subnetNamed(db, projectId, DEFAULT_SUBNET);
  if (needsDefault && known === undefined) putSubnet(db, defaultSubnet);
  const resolved = resolveCards(cards, subnetsOf(db, projectId), batch);
  if (resolved.kind !== 'sound') return resolved;
  for (const [index, { subnetId, offset }] of resolved.nics.entries()) {
    const vmId = offset === null ? undefined : db.addresses.holder(subnetId, offset);
    const field = fieldOfCard(index, 'ipAddress');
    if (vmId !== undefined) return { kind: 'addressTaken', field, vmId } as const;
  }
  return resolved;
}

function list(db: MemoryDatabase, query: BatchListQuery): readonly BatchRecord[] {
  const { projectId, state, label, withDeleted, limit } = query;
  const shown = [...db.batches.values()].filter(
    (batch) =>
      batch.projectId === projectId &&
      hasLabel(batch.labels, label) &&
      (state === undefined || batch.state === state) &&
      (withDeleted || state === 'deleted' || batch.state !== 'deleted'),
  );
  return filtered(shown, query).slice(0, limit);
}
