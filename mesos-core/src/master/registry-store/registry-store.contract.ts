import { describe, expect, it } from 'vitest';
import { newRegistry, type RegistryStore, withAgents } from '../registry.ts';

/** What every {@link RegistryStore} must do. `open` gives the same store, as after a restart. */
export function describeRegistryStore(
  name: string,
  create: () => Promise<{ open: () => RegistryStore; cleanUp: () => Promise<void> }>,
): void {
  describe(name, () => {
    it('has nothing at first', async () => {
      const { open, cleanUp } = await create();
      expect(await open().load()).toBeUndefined();
      await cleanUp();
    });

    it('gives back what was saved last, to the next owner too', async () => {
      const { open, cleanUp } = await create();
      const store = open();
      await store.load();
      const agent = { id: 'S0', hostname: 'host', state: 'admitted' as const, sinceMs: 5 };
      const registry = withAgents(newRegistry('m'), [agent], 10, {
        ...{ registryMaxAgentAgeMs: 10, registryMaxAgentCount: 10 },
      });
      await store.save(newRegistry('other'));
      await store.save(registry);
      expect(await store.load()).toEqual(registry);
      expect(await open().load()).toEqual(registry);
      await cleanUp();
    });

    it('keeps what it was given, not what becomes of it', async () => {
      const { open, cleanUp } = await create();
      const agents = [{ id: 'S0', hostname: 'host', state: 'admitted' as const, sinceMs: 5 }];
      const store = open();
      await store.load();
      await store.save({ ...newRegistry('m'), agents });
      agents.pop();
      expect((await open().load())?.agents).toHaveLength(1);
      await cleanUp();
    });
  });
}
