import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZooKeeperClient } from '../../zookeeper/index.ts';
import { OPERATIONS } from '../../zookeeper/protocol.ts';
import { FakeZooKeeper } from '../../zookeeper/testing/fake-zookeeper.ts';
import { newRegistry, type Registry } from '../registry.ts';
import {
  createFileRegistryStore,
  createMemoryRegistryStore,
  fatalOnFailure,
  withTimeouts,
} from './index.ts';
import { describeRegistryStore } from './registry-store.contract.ts';
import { ZooKeeperRegistryStore } from './zookeeper-store.ts';

describeRegistryStore('the registry in memory', async () => {
  const store = createMemoryRegistryStore();
  return { open: () => store, cleanUp: async () => undefined };
});

describeRegistryStore('the registry in a file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mesos-registry-'));
  return {
    open: () => createFileRegistryStore(directory, silentLogger),
    cleanUp: async () => {
      const allowed = ['registry.json', 'registry.json.previous'];
      expect((await readdir(directory)).filter((name) => !allowed.includes(name))).toEqual([]);
      await rm(directory, { recursive: true });
    },
  };
});

describeRegistryStore('the registry in ZooKeeper', async () => {
  const { open, clients } = zooKeeper(new FakeZooKeeper(systemClock));
  return {
    open,
    cleanUp: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
});

const NODE = '/mesos/registry';

function zooKeeper(server: FakeZooKeeper, chunkBytesMax?: number) {
  const clients: ZooKeeperClient[] = [];
  const open = (): ZooKeeperRegistryStore => {
    const random = seededRandom(clients.length);
    const client = new ZooKeeperClient({
      ...{ clock: systemClock, random, logger: silentLogger },
      servers: [{ host: 'fake', port: 2181 }],
      ...{ credential: undefined, sessionTimeoutMs: 6000, dial: server.dial(`${clients.length}`) },
    });
    clients.push(client);
    const bound = chunkBytesMax === undefined ? {} : { chunkBytesMax };
    return new ZooKeeperRegistryStore({
      ...{ client, random, logger: silentLogger, path: NODE, ...bound },
    });
  };
  return { open, clients };
}

function registryOf(...ids: readonly string[]): Registry {
  const agents = ids.map((id) => ({ id, hostname: id, state: 'admitted' as const, sinceMs: 1 }));
  return { ...newRegistry('m'), nextAgentNumber: ids.length, agents };
}

describe('a registry file', () => {
  let directory: string;
  let file: string;
  const load = () => createFileRegistryStore(directory, silentLogger).load();
  const save = (registry: Registry) =>
    createFileRegistryStore(directory, silentLogger).save(registry);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mesos-registry-'));
    file = join(directory, 'registry.json');
  });

  afterEach(() => rm(directory, { recursive: true }));

  it('cut short at any byte gives way to the one before, whose ids are not given out again', async () => {
    await save(registryOf('S0'));
    await save(registryOf('S0', 'S1'));
    const whole = await readFile(file);
    for (let length = whole.length - 1; length >= 0; length -= 1) {
      await truncate(file, length);
      const loaded = await load();
      expect(loaded?.agents.map(({ id }) => id)).toEqual(['S0']);
      expect(loaded?.nextAgentNumber).toBeGreaterThan(2);
    }
    // A write over the damaged one keeps the copy that is whole.
    await save(registryOf('S0', 'S1', 'S2'));
    await truncate(file, 10);
    expect((await load())?.agents).toHaveLength(1);
  });

  it('with any byte changed gives way to the one before', async () => {
    await save(registryOf('S0'));
    await save(registryOf('S0', 'S1'));
    const whole = await readFile(file);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(file, damaged);
      expect((await load())?.agents).toHaveLength(1);
    }
  });

  it('survives a write that was cut short at any byte before it took its place', async () => {
    await save(registryOf('S0'));
    const whole = await readFile(file);
    for (let length = 0; length <= whole.length; length += 7) {
      await writeFile(join(directory, '.registry.json.x.tmp'), whole.subarray(0, length));
      expect(await load()).toEqual(registryOf('S0'));
    }
    expect(await readdir(directory)).toEqual(['registry.json']);
  });

  it('of the form without a checksum is read', async () => {
    await writeFile(file, `${JSON.stringify(registryOf('S0'))}\n`);
    expect(await load()).toEqual(registryOf('S0'));
  });

  it.each(['{}', '{"masterId":1}', '[]', 'null', ''])('is refused: %s', async (text) => {
    await writeFile(file, text);
    await expect(load()).rejects.toMatchObject({ code: 'MESOS_ERR_BAD_REGISTRY' });
  });
});

describe('the registry in ZooKeeper', () => {
  let server: FakeZooKeeper;
  let open: () => ZooKeeperRegistryStore;
  let clients: readonly ZooKeeperClient[];

  beforeEach(() => {
    server = new FakeZooKeeper(systemClock);
    ({ open, clients } = zooKeeper(server, 100));
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
  });

  it('can be saved only by who has loaded it last', async () => {
    const [old, young] = [open(), open()];
    await old.load();
    await old.save(registryOf('S0'));
    expect(await young.load()).toEqual(registryOf('S0'));
    await expect(old.save(registryOf('S0', 'S1'))).rejects.toMatchObject({
      code: 'MESOS_ERR_REGISTRY_FENCED',
    });
    await young.save(registryOf('S0', 'S2'));
    expect(await open().load()).toEqual(registryOf('S0', 'S2'));
  });

  it('may be larger than a node, and leaves nothing of its former forms behind', async () => {
    const store = open();
    await store.load();
    // Ids without a pattern, which compress badly.
    const random = seededRandom(1);
    const ids = Array.from({ length: 200 }, () => Buffer.from(random.bytes(16)).toString('hex'));
    const large = registryOf(...ids);
    await store.save(large);
    expect(server.tree.children(NODE).length).toBeGreaterThan(40);
    for (const name of server.tree.children(NODE)) {
      expect(server.tree.node(`${NODE}/${name}`).data.length).toBeLessThanOrEqual(100);
    }
    expect(await open().load()).toEqual(large);
    const next = open();
    await next.load();
    await next.save(registryOf('S0'));
    expect(server.tree.children(NODE).length).toBeLessThan(5);
    expect(await open().load()).toEqual(registryOf('S0'));
  });

  it('is as before when its writer dies between any two requests of a save', async () => {
    const store = open();
    await store.load();
    await store.save(registryOf('S0'));
    for (let requests = 0; ; requests += 1) {
      const dying = open();
      await dying.load();
      const dyingClient = clients.at(-1);
      server.dieAfter(dyingClient?.sessionId ?? 0n, requests);
      const outcome = await dying.save(registryOf('S0', 'S1')).then(
        () => 'saved',
        () => 'died',
      );
      const found = await open().load();
      if (outcome === 'saved') {
        expect(found).toEqual(registryOf('S0', 'S1'));
        break;
      }
      // What was not confirmed may be there or not, but never in part.
      expect([registryOf('S0'), registryOf('S0', 'S1')]).toContainEqual(found);
    }
  });

  it.each([OPERATIONS.setData, OPERATIONS.create])(
    'is saved once although the answer to a request (%i) got lost',
    async (operation) => {
      const store = open();
      await store.load();
      server.breakAfter = operation;
      await store.save(registryOf('S0'));
      await store.save(registryOf('S0', 'S1'));
      expect(await open().load()).toEqual(registryOf('S0', 'S1'));
    },
  );

  it('that is damaged is refused', async () => {
    const store = open();
    await store.load();
    await store.save(registryOf('S0'));
    const [name] = server.tree.children(NODE);
    server.tree.setData(`${NODE}/${name}`, Buffer.from('x'), -1);
    await expect(open().load()).rejects.toMatchObject({ code: 'MESOS_ERR_BAD_REGISTRY' });
  });
});

describe('a store whose failures are fatal', () => {
  it('tells of them', async () => {
    const failures: unknown[] = [];
    const broken = { load: async () => undefined, save: () => Promise.reject(new Error('full')) };
    const store = fatalOnFailure(broken, (error) => failures.push(error));
    expect(await store.load()).toBeUndefined();
    await expect(store.save(registryOf())).rejects.toThrow('full');
    expect(failures).toHaveLength(1);
  });
});

describe('a store with timeouts', () => {
  it('is not waited for without end', async () => {
    const clock = new VirtualClock();
    const never = () => new Promise<never>(() => undefined);
    const store = withTimeouts({ load: never, save: never }, clock, { fetchMs: 100, storeMs: 50 });
    const ends: string[] = [];
    store.save(registryOf()).catch((error: Error) => ends.push(error.message));
    store.load().catch((error: Error) => ends.push(error.message));
    await clock.run(200);
    expect(ends).toEqual([
      'writing the registry did not finish within 50 ms',
      'reading the registry did not finish within 100 ms',
    ]);
  });
});
