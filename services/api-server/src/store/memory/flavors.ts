import type { FlavorStore } from '../../flavors/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link FlavorStore}. */
export function createMemoryFlavors({ flavors }: MemoryDatabase): FlavorStore {
  return {
    list: async () => [...flavors.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    create: async (flavor) => {
      if (flavors.has(flavor.name)) return false;
      flavors.set(flavor.name, flavor);
      return true;
    },
    remove: async (name) => flavors.delete(name),
  };
}
