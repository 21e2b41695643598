import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeRegistryStore } from './registry.contract.ts';
import {
  createFileRegistryStore,
  createMemoryRegistryStore,
  newRegistry,
  type RegisteredAgent,
  withAgents,
} from './registry.ts';

describeRegistryStore('the registry in memory', async () => {
  const store = createMemoryRegistryStore();
  return { open: () => store, cleanUp: async () => undefined };
});

describeRegistryStore('the registry in a file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mesos-registry-'));
  return {
    open: () => createFileRegistryStore(directory),
    cleanUp: async () => {
      expect((await readdir(directory)).filter((name) => name !== 'registry.json')).toEqual([]);
      await rm(directory, { recursive: true });
    },
  };
});

describe('a registry file that is damaged', () => {
  it.each(['{}', '{"masterId":1}', '[]', 'null'])('is refused: %s', async (text) => {
    const directory = await mkdtemp(join(tmpdir(), 'mesos-registry-'));
    await writeFile(join(directory, 'registry.json'), text);
    const store = createFileRegistryStore(directory);
    await expect(store.load()).rejects.toMatchObject({ code: 'MESOS_ERR_BAD_REGISTRY' });
    await rm(directory, { recursive: true });
  });
});

describe('agents in the registry', () => {
  const DAY_MS = 24 * 3600 * 1000;
  const agent = (id: string, state: RegisteredAgent['state'], sinceMs: number) => ({
    ...{ id, state, sinceMs, hostname: 'host' },
  });

  it('stand in it once', () => {
    const before = withAgents(newRegistry('m'), [agent('S0', 'admitted', 1)], 1);
    const after = withAgents(before, [agent('S0', 'unreachable', 2)], 2);
    expect(after.agents).toEqual([agent('S0', 'unreachable', 2)]);
  });

  it('are forgotten when they have been away for two weeks, but never while admitted', () => {
    const old = [agent('S0', 'admitted', 0), agent('S1', 'unreachable', 0), agent('S2', 'gone', 0)];
    const before = withAgents(newRegistry('m'), old, 0);
    const ids = (nowMs: number) =>
      withAgents(before, [agent('S3', 'admitted', nowMs)], nowMs).agents.map(({ id }) => id);
    expect(ids(14 * DAY_MS)).toEqual(['S0', 'S1', 'S2', 'S3']);
    expect(ids(14 * DAY_MS + 1)).toEqual(['S0', 'S3']);
  });

  it('that are away are at most ten thousand, the newest', () => {
    const many = Array.from({ length: 10_005 }, (_, index) => agent(`S${index}`, 'gone', 1));
    const { agents } = withAgents(newRegistry('m'), many, 1);
    expect(agents).toHaveLength(10_000);
    expect(agents[0]?.id).toBe('S5');
  });
});
