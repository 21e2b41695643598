import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

async function removeTree(client: ZooKeeperClient, path: string): Promise<void> {
  for (const name of await client.getChildren(path)) await removeTree(client, `${path}/${name}`);
  await client.delete(path);
}

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
