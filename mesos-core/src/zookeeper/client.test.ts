import { duplexPair } from 'node:stream';
import { silentLogger, systemClock } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Resolve } from './addresses.ts';
import type { Dial } from './client.ts';
import { ZooKeeperClient } from './index.ts';
import { OPERATIONS } from './protocol.ts';
import { FakeZooKeeper } from './testing/fake-zookeeper.ts';
import { describeZooKeeper } from './zookeeper.contract.ts';

const SESSION_TIMEOUT_MS = 6000;
const servers = [{ host: 'fake', port: 2181 }];

describeZooKeeper('the ZooKeeper of the tests', async () => {
  const server = new FakeZooKeeper(systemClock);
  const clients: ZooKeeperClient[] = [];
  return {
    client: () => {
      const client = new ZooKeeperClient({
        ...{ clock: systemClock, random: seededRandom(1), logger: silentLogger, servers },
        ...{ credential: undefined, sessionTimeoutMs: SESSION_TIMEOUT_MS },
        dial: server.dial(`client-${clients.length}`),
      });
      clients.push(client);
      return client;
    },
    cleanUp: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
});

let clock: VirtualClock;
let server: FakeZooKeeper;
let client: ZooKeeperClient;
let endedAtMs: number | undefined;
let why: string | undefined;

beforeEach(async () => {
  clock = new VirtualClock();
  server = new FakeZooKeeper(clock);
  client = new ZooKeeperClient({
    ...{ clock, random: seededRandom(1), logger: silentLogger, servers },
    ...{ credential: undefined, sessionTimeoutMs: SESSION_TIMEOUT_MS, dial: server.dial('me') },
  });
  endedAtMs = undefined;
  void client.ended.then(({ reason }) => {
    why = reason;
    endedAtMs = clock.monotonicMs();
  });
  await clock.run(10);
});

afterEach(async () => {
  await Promise.all([client.close(), clock.run(2000)]);
});

/** The result of `work`, for which time passes. */
async function given<T>(work: Promise<T>, ms = 100): Promise<T> {
  work.catch(() => undefined);
  await clock.run(ms);
  return work;
}

describe('a session', () => {
  it('lives as long as the server answers', async () => {
    await given(client.create('/e', Buffer.from(''), { ephemeral: true }));
    await clock.run(10 * 60_000);
    expect(client.isEnded).toBe(false);
    expect(server.tree.children('/')).toEqual(['e']);
  });

  it('survives lost connections, and tells watchers to look again', async () => {
    await given(client.create('/e', Buffer.from(''), { ephemeral: true }));
    const { sessionId } = client;
    let looks = 0;
    await given(client.getChildren('/', () => (looks += 1)));
    server.dropConnections();
    await clock.run(3000);
    expect(client.sessionId).toBe(sessionId);
    expect(client.isConnected).toBe(true);
    expect(looks).toBe(1);
    expect(server.tree.children('/')).toEqual(['e']);
  });

  it('ends when the server has ended it', async () => {
    server.expire(client.sessionId);
    await clock.run(2000);
    expect(why).toBe('SESSION_EXPIRED');
    await expect(client.exists('/')).rejects.toMatchObject({ reason: 'SESSION_EXPIRED' });
  });

  it('is over by its own clock before the server ends it, when nothing passes any more', async () => {
    await given(client.create('/e', Buffer.from(''), { ephemeral: true }));
    await clock.run(1234);
    const cutAtMs = clock.monotonicMs();
    server.cut('me');
    await clock.runUntil(() => endedAtMs !== undefined, 60_000);
    expect(server.tree.children('/')).toEqual(['e']);
    expect(clock.monotonicMs() - cutAtMs).toBeLessThanOrEqual(SESSION_TIMEOUT_MS);
    await clock.run(SESSION_TIMEOUT_MS);
    expect(server.tree.children('/')).toEqual([]);
  });

  it('is kept when the cut was shorter than its timeout', async () => {
    const { sessionId } = client;
    server.cut('me');
    await clock.run(3500);
    server.heal('me');
    await clock.run(60_000);
    expect(client.sessionId).toBe(sessionId);
    expect(client.isEnded).toBe(false);
  });

  it('is waited for by requests that are made before there is one', async () => {
    server.cut('early');
    const early = new ZooKeeperClient({
      ...{ clock, random: seededRandom(2), logger: silentLogger, servers },
      ...{ credential: undefined, sessionTimeoutMs: 20_000, dial: server.dial('early') },
    });
    const listing = early.getChildren('/');
    await clock.run(9000);
    server.heal('early');
    expect(await given(listing, 10_000)).toEqual([]);
    await given(early.close(), 2000);
  });
});

describe('a name of a server that has several addresses', () => {
  const dead = () => duplexPair()[0];
  const start = (dial: Dial, resolve: Resolve): ZooKeeperClient =>
    new ZooKeeperClient({
      ...{ clock, random: seededRandom(3), logger: silentLogger, servers, dial, resolve },
      ...{ credential: undefined, sessionTimeoutMs: SESSION_TIMEOUT_MS },
    });

  it('leads to one that answers, though others take connections and say nothing', async () => {
    const alive = server.dial('several');
    const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    for (const good of addresses) {
      const several = start(
        (to) => (to.host === good ? alive() : dead()),
        async () => addresses,
      );
      await clock.run(SESSION_TIMEOUT_MS);
      expect(several.isConnected).toBe(true);
      await given(several.close(), 2000);
    }
  });

  it('keeps the session when its server dies and the name leads elsewhere', async () => {
    const alive = server.dial('moved');
    let address = '10.0.0.1';
    const moved = start(
      (to) => (to.host === address ? alive() : dead()),
      async () => [address],
    );
    await clock.run(100);
    const { sessionId } = moved;
    expect(sessionId).not.toBe(0n);
    address = '10.0.0.2';
    server.dropConnections();
    await clock.run(3000);
    expect([moved.isConnected, moved.sessionId]).toEqual([true, sessionId]);
    await given(moved.close(), 2000);
  });

  it('is looked up until it has one', async () => {
    let looks = 0;
    const late = start(server.dial('late'), async () => {
      looks += 1;
      if (looks < 3) throw new Error('ENOTFOUND');
      return ['10.0.0.1'];
    });
    await clock.run(5000);
    expect([late.isConnected, looks]).toEqual([true, 3]);
    await given(late.close(), 2000);
  });
});

describe('a request', () => {
  it('that changes nothing is made again when the connection breaks', async () => {
    server.breakAfter = OPERATIONS.getChildren;
    expect(await given(client.getChildren('/'), 3000)).toEqual([]);
  });

  it('that may have been carried out is not made again', async () => {
    server.breakAfter = OPERATIONS.create;
    await expect(given(client.create('/a', Buffer.from('')), 3000)).rejects.toMatchObject({
      reason: 'CONNECTION_LOSS',
    });
    expect(server.tree.children('/')).toEqual(['a']);
  });

  it('for a path goes on when the answer to a part of it is lost', async () => {
    server.breakAfter = OPERATIONS.create;
    await given(client.ensurePath('/a/b'), 3000);
    expect(server.tree.children('/a')).toEqual(['b']);
  });

  it('has a deadline', async () => {
    server.cut('me');
    await clock.run(1000);
    await expect(given(client.setData('/', Buffer.from(''), -1), 20_000)).rejects.toMatchObject({
      code: 'MESOS_ERR_ZOOKEEPER',
    });
  });
});
