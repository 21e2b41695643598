import { decodeRegistry, type RegistryStore } from '../registry.ts';

/** For tests, simulations and `--registry=in_memory`; outlives the master object. */
export function createMemoryRegistryStore(): RegistryStore {
  let saved: string | undefined;
  return {
    load: async () => (saved === undefined ? undefined : decodeRegistry(JSON.parse(saved))),
    save: async (registry) => {
      saved = JSON.stringify(registry);
    },
  };
}
