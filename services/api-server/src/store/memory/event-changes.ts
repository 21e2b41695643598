import type { EventType } from '@factory/contracts';
import type { BatchRecord } from '../../batches/store.ts';
import type { ImageVersionRecord } from '../../images/version.ts';
import type { ApiKeyRecord } from '../../keys/store.ts';
import type { BatchOperationRecord, OperationRecord } from '../../operations/store.ts';
import type { SubnetRecord } from '../../subnets/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { VolumeRecord } from '../../volumes/store.ts';

/** What a change of a row is an event of; the rules of the triggers in migration 0070. */
type Happening = readonly [type: EventType, data: Readonly<Record<string, unknown>>];
export type Change<T> = (before: T | undefined, after: T | undefined) => readonly Happening[];

const when = (is: boolean, ...happening: Happening): readonly Happening[] =>
  is ? [happening] : [];

export const vmChanges: Change<VmRecord> = (before, after) => {
  if (after === undefined) return [];
  const { batchId, name, state, clusterId } = after;
  if (before === undefined) return [['vm.created', { batchId, name, state, clusterId }]];
  const { desired, generation, reason, message, vcpus, memoryMiB, diskGiB } = after;
  const since = new Date(after.stateSinceMs).toISOString();
  const isChanged =
    vcpus !== before.vcpus || memoryMiB !== before.memoryMiB || diskGiB !== before.diskGiB;
  const found: readonly Happening[] = [
    ...when(before.clusterId !== clusterId, 'vm.moved', { from: before.clusterId, to: clusterId }),
    ...when(before.generation !== generation || before.desired !== desired, 'vm.wished', {
      ...{ desired, generation },
    }),
    ...when(before.state !== state, 'vm.stateChanged', {
      ...{ from: before.state, to: state, since, clusterId, reason, message },
    }),
    ...when(after.guestReady && !before.guestReady, 'vm.ready', {}),
    ...when(isChanged, 'vm.changed', { vcpus, memoryMiB, diskGiB }),
  ];
  return found.map(([type, data]) => [type, { batchId, name, ...data }]);
};

export const operationChanges: Change<OperationRecord> = (before, after) => {
  if (after === undefined) return [];
  const { kind, vmId, parentId, state, reason, message } = after;
  if (before === undefined) {
    return when(state === 'running', 'operation.started', { kind, vmId, parentId });
  }
  const hasEnded = before.state === 'running' && state !== 'running';
  return when(hasEnded, 'operation.ended', { kind, vmId, parentId, state, reason, message });
};

export const batchOperationChanges: Change<BatchOperationRecord> = (before, after) =>
  before !== undefined || after === undefined
    ? []
    : [['operation.started', { kind: after.kind, batchId: after.batchId }]];

export const batchChanges: Change<BatchRecord> = (before, after) => {
  if (after === undefined) return [];
  const { name, needsPlanning: waits, pendingReason, plannedAtMs, state } = after;
  if (before === undefined) return [['batch.accepted', { name }]];
  const isNews =
    before.plannedAtMs === 0 ||
    before.needsPlanning !== waits ||
    before.pendingReason !== pendingReason;
  const type = state === 'deleted' ? 'batch.closed' : 'batch.stateChanged';
  return [
    ...when(before.plannedAtMs !== plannedAtMs && isNews, 'batch.planned', {
      ...{ name, waits, pendingReason },
    }),
    ...when(before.state !== state, type, { name, from: before.state, to: state }),
  ];
};

export const volumeChanges: Change<VolumeRecord> = (before, after) => {
  if (after === undefined) return [];
  const { name, sizeGiB, state } = after;
  if (before === undefined) return [['volume.created', { name, sizeGiB }]];
  if (before.state === state) return [];
  if (state === 'deleted') return [['volume.removed', { name }]];
  return [['volume.stateChanged', { name, from: before.state, to: state }]];
};

export const subnetChanges: Change<SubnetRecord> = (before, after) => {
  if (after === undefined) return [];
  const { name, cidr, deletedAtMs } = after;
  if (before === undefined) return [['subnet.created', { name, cidr }]];
  return when(before.deletedAtMs === null && deletedAtMs !== null, 'subnet.removed', { name });
};

export const imageChanges: Change<ImageVersionRecord> = (before, after) => {
  if (after === undefined) return [['image.removed', { name: before?.name }]];
  const { name, state, version, message } = after;
  if (before === undefined) return [['image.created', { name, state }]];
  return when(before.state !== state, 'image.stateChanged', {
    ...{ name, from: before.state, to: state, version, message },
  });
};

export const keyChanges: Change<ApiKeyRecord> = (before, after) => {
  if (after === undefined) return [];
  const { name, role, revoked } = after;
  if (before === undefined) return [['key.created', { name, role }]];
  return when(revoked && !before.revoked, 'key.revoked', { name });
};
