import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRegistry } from '../master/registry.ts';
import { ZooKeeperRegistryStore } from '../master/registry-store/index.ts';
import { describeRegistryStore } from '../master/registry-store/registry-store.contract.ts';
import { parseZooKeeperUrl, ZooKeeperClient } from './index.ts';
import { type RealZooKeeper, startRealZooKeeper } from './testing/real-zookeeper.ts';
import { describeZooKeeper } from './zookeeper.contract.ts';

let server: RealZooKeeper;
const clients: ZooKeeperClient[] = [];

beforeAll(async () => {
  server = await startRealZooKeeper();
}, 90_000);

afterAll(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.stop();
});

function connect(credential?: string): ZooKeeperClient {
  const client = new ZooKeeperClient({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
    servers: [{ host: server.host, port: server.port }],
    ...{ credential, sessionTimeoutMs: 6000 },
  });
  clients.push(client);
  return client;
}

describeZooKeeper('Apache ZooKeeper', async () => ({
  client: () => connect(),
  cleanUp: async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    const cleaner = connect();
    await removeTree(cleaner, '/contract');
    await cleaner.close();
  },
}));

describeRegistryStore('the registry in Apache ZooKeeper', async () => ({
  open: () =>
    new ZooKeeperRegistryStore({
      ...{ client: connect(), random: systemRandom, logger: silentLogger },
      ...{ path: '/contract/registry', chunkBytesMax: 64 },
    }),
  cleanUp: async () => {
    const cleaner = connect();
    await removeTree(cleaner, '/contract');
    await Promise.all(clients.splice(0).map((client) => client.close()));
  },
}));

async function removeTree(client: ZooKeeperClient, path: string): Promise<void> {
  for (const name of await client.getChildren(path)) await removeTree(client, `${path}/${name}`);
  await client.delete(path);
}

describe('a registry larger than a node may be', () => {
  it('is kept in parts', async () => {
    const open = () =>
      new ZooKeeperRegistryStore({
        ...{ client: connect(), random: systemRandom, logger: silentLogger, path: '/large' },
      });
    const noise = Buffer.from(systemRandom.bytes(3_000_000)).toString('hex');
    const agents = [{ id: 'S0', hostname: noise, state: 'admitted' as const, sinceMs: 1 }];
    const store = open();
    await store.load();
    await store.save({ ...newRegistry('m'), agents });
    expect((await connect().getChildren('/large')).length).toBeGreaterThan(5);
    expect((await open().load())?.agents).toEqual(agents);
    await removeTree(connect(), '/large');
  });
});

describe('a credential in the URL', () => {
  it('keeps others from changing what its owner made, though they may read it', async () => {
    const { credential } = parseZooKeeperUrl('zk://mesos:secret@host/path');
    const owner = connect(credential);
    await owner.ensurePath('/owned');
    await owner.create('/owned/node', Buffer.from('mine'));
    const other = connect('other:secret');
    expect((await other.getData('/owned/node')).data.toString()).toBe('mine');
    const refused = { reason: 'NO_AUTH' };
    await expect(other.setData('/owned/node', Buffer.from(''), -1)).rejects.toMatchObject(refused);
    await expect(other.delete('/owned/node')).rejects.toMatchObject(refused);
    await removeTree(connect(credential), '/owned');
  });
});
