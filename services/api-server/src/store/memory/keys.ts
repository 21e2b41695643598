import { API_KEY_LIMITS } from '@factory/contracts';
import { keyState } from '../../keys/key-state.ts';
import type { KeyStore } from '../../keys/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link KeyStore}. */
export function createMemoryKeys(db: MemoryDatabase): KeyStore {
  const ofProject = (projectId: string) =>
    [...db.keys.values()].filter((key) => key.projectId === projectId);
  return {
    find: async (id) => {
      const key = db.keys.get(id);
      const project = key && db.projects.get(key.projectId);
      const owner = project && db.organisations.get(project.organisationId);
      if (key === undefined || project === undefined || owner === undefined) return undefined;
      const isProjectClosed = project.closedAtMs !== null;
      const { id: organisationId, isPlatform } = owner;
      return { ...key, organisationId, isPlatform, isProjectClosed };
    },
    create: async (key, nowMs) => {
      if (db.projects.get(key.projectId)?.closedAtMs !== null) return false;
      const active = ofProject(key.projectId).filter((each) => keyState(each, nowMs) === 'active');
      if (active.length >= API_KEY_LIMITS.keysMax) return false;
      db.keys.set(key.id, key);
      return true;
    },
    list: async ({ projectId, after = '', limit }) =>
      ofProject(projectId)
        .filter((key) => key.id > after)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit),
    rotate: async (id, successor, endMs) => {
      const key = db.keys.get(id);
      if (key === undefined || key.revoked || key.successorId !== null) return { kind: 'over' };
      const expiresAtMs = Math.min(key.expiresAtMs ?? endMs, endMs);
      db.keys.set(id, { ...key, successorId: successor.id, expiresAtMs });
      db.keys.set(successor.id, successor);
      return { kind: 'rotated' };
    },
    revoke: async (id, nowMs) => {
      const key = db.keys.get(id);
      if (key === undefined || key.revoked) return;
      db.keys.set(id, { ...key, revoked: true, revokedAtMs: nowMs });
    },
    noteUse: async (uses) => {
      for (const [id, atMs] of uses) {
        const key = db.keys.get(id);
        if (key === undefined) continue;
        db.keys.set(id, { ...key, lastUsedAtMs: Math.max(key.lastUsedAtMs ?? 0, atMs) });
      }
    },
  };
}
