import { NO_ATTEMPTS } from '../../sessions/attempts.ts';
import type { SessionStore } from '../../sessions/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link SessionStore}. */
export function createMemorySessions(db: MemoryDatabase): SessionStore {
  return {
    create: async (session) => {
      db.sessions.set(session.tokenHash, session);
    },
    find: async (tokenHash) => {
      const session = db.sessions.get(tokenHash);
      const user = session && db.users.get(session.userId);
      return session === undefined || user === undefined ? undefined : { session, user };
    },
    end: async (id) => {
      for (const [hash, session] of db.sessions) {
        if (session.id === id) db.sessions.delete(hash);
      }
    },
    noteUse: async (uses) => {
      for (const [hash, session] of db.sessions) {
        const atMs = uses.get(session.id) ?? 0;
        if (atMs > session.lastUsedAtMs) db.sessions.set(hash, { ...session, lastUsedAtMs: atMs });
      }
    },
    forget: async ({ nowMs, usedBeforeMs, attemptsBeforeMs }) => {
      for (const [hash, { expiresAtMs, lastUsedAtMs }] of db.sessions) {
        if (expiresAtMs <= nowMs || lastUsedAtMs <= usedBeforeMs) db.sessions.delete(hash);
      }
      for (const [subject, { lastAtMs }] of db.loginAttempts) {
        if (lastAtMs <= attemptsBeforeMs) db.loginAttempts.delete(subject);
      }
    },
    changeAttempts: async (subjects, change) => {
      const known = subjects.map((subject) => db.loginAttempts.get(subject) ?? NO_ATTEMPTS);
      const { attempts, result } = change(known);
      for (const [index, each] of (attempts ?? []).entries()) {
        db.loginAttempts.set(subjects[index] ?? '', each);
      }
      return result;
    },
  };
}
