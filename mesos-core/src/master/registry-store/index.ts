import { type Clock, withDeadline } from '@factory/runtime';
import type { Registry, RegistryStore } from '../registry.ts';

export { createFileRegistryStore } from './file-store.ts';
export { createMemoryRegistryStore } from './memory-store.ts';
export { ZooKeeperRegistryStore } from './zookeeper-store.ts';

/**
 * The same store, which tells when something could not be saved. The master must end then, as
 * Mesos' does: what it has in memory is more than what the next one will know.
 */
export function fatalOnFailure(
  store: RegistryStore,
  onFailure: (error: unknown) => void,
): RegistryStore {
  return {
    load: () => store.load(),
    save: async (registry: Registry) => {
      try {
        await store.save(registry);
      } catch (error) {
        onFailure(error);
        throw error;
      }
    },
  };
}

/** The same store, with an end to how long it is waited for. */
export function withTimeouts(
  store: RegistryStore,
  clock: Clock,
  timeouts: { readonly fetchMs: number; readonly storeMs: number },
): RegistryStore {
  const { fetchMs, storeMs } = timeouts;
  return {
    load: () => withDeadline(clock, 'reading the registry', fetchMs, () => store.load()),
    save: (registry) =>
      withDeadline(clock, 'writing the registry', storeMs, () => store.save(registry)),
  };
}
