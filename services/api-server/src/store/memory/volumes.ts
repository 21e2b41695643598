import type {
  BatchVolume,
  LinkCommand,
  ProjectId,
  VolumeId,
  VolumeMount,
} from '@factory/contracts';
import type { ExchangeNews } from '../../clusters/store.ts';
import { type Binding, bindVolumes } from '../../volumes/bind.ts';
import type { VolumeRecord, VolumeStore, VolumeView } from '../../volumes/store.ts';
import { DROP_AGAIN_MS } from '../../volumes/usage.ts';
import type { MemoryDatabase } from './database.ts';
import { takeQuota } from './quota.ts';
import { wishIn } from './vms.ts';

/** See {@link VolumeStore}. */
export function createMemoryVolumes(db: MemoryDatabase): VolumeStore {
  const of = (projectId: ProjectId): readonly VolumeView[] => viewsOf(db, projectId);
  return {
    create: async (volume) => {
      const asked = { volumes: 1, volumeGiB: volume.sizeGiB };
      const excess = takeQuota(db, volume.projectId, asked);
      if (excess !== undefined) return { kind: 'overQuota', excess };
      const same = of(volume.projectId).find((each) => each.volume.name === volume.name);
      if (same !== undefined) return { kind: 'nameTaken', id: same.volume.id };
      db.volumes.set(volume.id, volume);
      return { kind: 'created', view: viewOf(db, volume) };
    },
    list: async ({ projectId, name, after = '', limit }) =>
      of(projectId)
        .filter(({ volume }) => volume.id > after && (name === undefined || volume.name === name))
        .slice(0, limit),
    find: async (projectId, id) => of(projectId).find(({ volume }) => volume.id === id),
    change: async (projectId, vmId, volumeName, change) => {
      const view = of(projectId).find(({ volume }) => volume.name === volumeName);
      const result = wishIn(db, projectId, vmId, (vm) => change(vm, view));
      if (result.kind === 'done') keepEpochs(db, result.vm.volumes);
      return result;
    },
    delete: async (projectId, id, nowMs) => {
      const view = of(projectId).find(({ volume }) => volume.id === id);
      if (view === undefined) return { kind: 'notFound' };
      if (view.machines > 0) return { kind: 'inUse', machines: view.machines };
      const volume = view.volume.state === 'deleting' ? view.volume : drop(db, view.volume, nowMs);
      return { kind: 'deleting', view: { ...view, volume } };
    },
  };
}

/** Gives volumes to a batch that is being kept. */
export function bindInMemory(
  db: MemoryDatabase,
  projectId: ProjectId,
  wanted: readonly BatchVolume[],
  machines: number,
): Binding {
  const binding = bindVolumes(wanted, machines, viewsOf(db, projectId));
  if (binding.kind === 'refused') return binding;
  keepEpochs(db, binding.volumes.mounts);
  return binding;
}

function keepEpochs(db: MemoryDatabase, mounts: readonly VolumeMount[]): void {
  for (const { volumeId, leaseEpoch } of mounts) {
    const volume = db.volumes.get(volumeId);
    if (volume !== undefined) db.volumes.set(volumeId, { ...volume, leaseEpoch });
  }
}

/** Takes what a cluster says of its volumes. */
export function takeVolumes(
  db: MemoryDatabase,
  { clusterId, capacity, appliedCommandSeq, nowMs }: ExchangeNews,
): void {
  if (capacity?.volumes === undefined) return;
  const used = new Map(capacity.volumes.map((each) => [each.volumeId, each.usedBytes]));
  for (const volume of db.volumes.values()) {
    if (volume.clusterId !== clusterId || volume.state === 'deleted') continue;
    const usedBytes = used.get(volume.id) ?? volume.usedBytes;
    const isHeard = (volume.droppedSeq ?? 0) <= appliedCommandSeq;
    const isGone = volume.state === 'deleting' && isHeard && !used.has(volume.id);
    const next: VolumeRecord = { ...volume, usedBytes, state: isGone ? 'deleted' : volume.state };
    db.volumes.set(volume.id, next);
    const isDue = (volume.droppedAtMs ?? 0) < nowMs - DROP_AGAIN_MS;
    if (next.state === 'deleting' && isDue) drop(db, next, nowMs);
  }
}

function drop(db: MemoryDatabase, volume: VolumeRecord, nowMs: number): VolumeRecord {
  const command: LinkCommand = { kind: 'dropVolumes', volumeIds: [volume.id] };
  const droppedSeq = db.appendCommands(volume.clusterId, [command]);
  const dropped: VolumeRecord = { ...volume, state: 'deleting', droppedAtMs: nowMs, droppedSeq };
  db.volumes.set(volume.id, dropped);
  db.wake({ clusters: [volume.clusterId] });
  return dropped;
}

function viewsOf(db: MemoryDatabase, projectId: ProjectId): readonly VolumeView[] {
  return [...db.volumes.values()]
    .filter((each) => each.projectId === projectId && each.state !== 'deleted')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((volume) => viewOf(db, volume));
}

function viewOf(db: MemoryDatabase, volume: VolumeRecord): VolumeView {
  return {
    volume,
    clusterName: db.clusters.get(volume.clusterId)?.name ?? '',
    machines: machinesWith(db, volume.id),
  };
}

function machinesWith(db: MemoryDatabase, id: VolumeId): number {
  const has = ({ volumes }: { readonly volumes: readonly { volumeId: VolumeId }[] }): boolean =>
    volumes.some(({ volumeId }) => volumeId === id);
  const vms = [...db.vms.values()].filter(
    (vm) => vm.state !== 'deleted' && (has(vm) || vm.leavingVolumes.includes(id)),
  );
  const unmade = [...db.batches.values()].filter(
    (batch) => batch.needsPlanning && has(batch) && db.vmsOf(batch.id).length === 0,
  );
  return vms.length + unmade.length;
}
