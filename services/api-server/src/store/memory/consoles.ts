import type { ConsoleStore } from '../../consoles/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link ConsoleStore}. */
export function createMemoryConsoles({ consoleTickets }: MemoryDatabase): ConsoleStore {
  return {
    put: async (ticket) => {
      consoleTickets.set(ticket.id, ticket);
    },
    find: async (id) => consoleTickets.get(id),
    use: async (id, operationId, heldAt) => {
      const found = consoleTickets.get(id);
      if (found === undefined || found.operationId !== null) return false;
      consoleTickets.set(id, { ...found, operationId, heldAt });
      return true;
    },
    holderOf: async (operationId) => {
      const all = [...consoleTickets.values()];
      return all.find((each) => each.operationId === operationId)?.heldAt ?? undefined;
    },
  };
}
