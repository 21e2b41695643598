import type { UserStore } from '../../users/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link UserStore}. */
export function createMemoryUsers(db: MemoryDatabase): UserStore {
  const all = () => [...db.users.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const endSessions = (userId: string): void => {
    for (const [hash, session] of db.sessions) {
      if (session.userId === userId) db.sessions.delete(hash);
    }
  };
  return {
    create: async (user) => {
      const isKnown = all().some(
        (each) => each.organisationId === user.organisationId && each.email === user.email,
      );
      if (!isKnown) db.users.set(user.id, user);
      return !isKnown;
    },
    find: async (id) => db.users.get(id),
    findByEmail: async (organisation, email) => {
      const owner = [...db.organisations.values()].find(({ name }) => name === organisation);
      return all().find((each) => each.organisationId === owner?.id && each.email === email);
    },
    findByOidc: async (subject) => all().find((each) => each.oidcSubject === subject),
    list: async ({ organisationId, email, after = '', limit }) =>
      all()
        .filter((each) => each.organisationId === organisationId && each.id > after)
        .filter((each) => email === undefined || each.email === email.toLowerCase())
        .slice(0, limit),
    change: async (id, patch, endsSessions) => {
      const user = db.users.get(id);
      if (user !== undefined) db.users.set(id, { ...user, ...patch });
      if (endsSessions) endSessions(id);
    },
    delete: async (id) => {
      db.users.delete(id);
      endSessions(id);
    },
  };
}
