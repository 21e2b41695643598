import type { ClusterId } from '@factory/contracts';
import type { ImageStore } from '../../images/store.ts';
import type { ImageVersionRecord } from '../../images/version.ts';
import type { MemoryDatabase } from './database.ts';
import { takeQuota } from './quota.ts';

/** See {@link ImageStore}. */
export function createMemoryImages(db: MemoryDatabase): ImageStore {
  const { versions, told, stages } = db.images;
  const all = (isMeant: (record: ImageVersionRecord) => boolean): ImageVersionRecord[] =>
    [...versions.values()].filter(isMeant).sort((a, b) => a.createdAtMs - b.createdAtMs);
  const isFirstUse = (clusterId: ClusterId, nonce: string, nowMs: number): boolean => {
    const key = `${clusterId} ${nonce}`;
    if (db.nonces.has(key)) return false;
    db.nonces.set(key, nowMs);
    return true;
  };
  return {
    create: async (record) => {
      const { name, visibility, projectId } = record;
      const isTaken = all((each) => each.name === name && each.visibility === 'public').some(
        (each) => each.projectId !== projectId,
      );
      if (visibility === 'public' && isTaken) return { kind: 'taken' };
      const excess = takeQuota(db, projectId, { images: 1 });
      if (excess !== undefined) return { kind: 'overQuota', excess };
      versions.set(record.id, record);
      return { kind: 'created' };
    },
    adopt: async (records) => {
      for (const record of records) {
        const { id, folder, version } = record;
        const isSame = (each: ImageVersionRecord) =>
          each.folder === folder && each.version === version;
        const isIn = ({ state }: ImageVersionRecord) => state === 'ready' || state === 'deleting';
        const isKnown = all((each) => isSame(each) && isIn(each)).length > 0;
        if (!isKnown) versions.set(id, record);
      }
    },
    find: async (id) => versions.get(id),
    visibleTo: async (projectId, name) =>
      all((each) => each.projectId === projectId || each.visibility === 'public').filter(
        (each) => name === undefined || each.name === name,
      ),
    inStates: async (states) => all(({ state }) => states.includes(state)),
    update: async (id, states, patch) => {
      const known = versions.get(id);
      if (known === undefined || !states.includes(known.state)) return false;
      versions.set(id, { ...known, ...patch });
      return true;
    },
    claim: async (states, nowMs, untilMs) => {
      const [found] = all((each) => states.includes(each.state) && each.leaseUntilMs <= nowMs);
      if (found === undefined) return undefined;
      const leased = { ...found, leaseUntilMs: untilMs };
      versions.set(found.id, leased);
      return leased;
    },
    lease: async (id, state, nowMs, untilMs) => {
      const known = versions.get(id);
      if (known?.state !== state || known.leaseUntilMs > nowMs) return false;
      versions.set(id, { ...known, leaseUntilMs: untilMs });
      return true;
    },
    pastDeadline: async (nowMs) => all(({ deadlineAtMs }) => (deadlineAtMs ?? nowMs) < nowMs),
    countUses: async (folder, version) => {
      const isOf = (each: { image: string; imageVersion: string | null; state: string }) =>
        each.image === folder && each.imageVersion === version && each.state !== 'deleted';
      const waiting = [...db.batches.values()].filter((each) => each.needsPlanning);
      return [...[...db.vms.values()].filter(isOf), ...waiting.filter(isOf)].length;
    },
    remove: async (id) => {
      versions.delete(id);
    },
    report: async ({ clusterId, epoch, nonce, images, nowMs }) => {
      if (!isFirstUse(clusterId, nonce, nowMs)) return 'replayed';
      if (db.clusters.get(clusterId)?.epoch !== epoch) return 'stale';
      told.set(clusterId, images);
      return 'kept';
    },
    isFirstUse: async (clusterId, nonce, nowMs) => isFirstUse(clusterId, nonce, nowMs),
    clusterImages: async () =>
      [...told].flatMap(([clusterId, images]) => {
        const name = db.clusters.get(clusterId)?.name;
        return name === undefined ? [] : [{ clusterId, clusterName: name, images }];
      }),
    putStages: async (some) => {
      for (const each of some) {
        stages.set(`${each.clusterId} ${each.name} ${each.version}`, each);
      }
    },
    stages: async (nowMs) => [...stages.values()].filter(({ untilMs }) => untilMs >= nowMs),
  };
}
