import { silentLogger, sleep, systemClock } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeProtobuf } from '../protocol/index.ts';
import { OPERATIONS } from '../zookeeper/protocol.ts';
import { FakeZooKeeper } from '../zookeeper/testing/fake-zookeeper.ts';
import { describeElection, masterInfo } from './election.contract.ts';
import { leadingOrigin } from './follow.ts';
import { MemoryElection } from './memory-election.ts';
import { ZooKeeperSessions } from './sessions.ts';
import { ZooKeeperContender } from './zookeeper-contender.ts';
import { ZooKeeperDetector } from './zookeeper-detector.ts';

const path = '/mesos/here';
const servers = [{ host: 'fake', port: 2181 }];

describeElection('an election in memory', async () => {
  const election = new MemoryElection();
  return {
    clock: systemClock,
    join: async () => ({ contender: election, detector: election }),
    end: async ({ id }) => election.remove(id, 'it was taken away'),
    cleanUp: async () => undefined,
  };
});

describeElection('an election on ZooKeeper', async () => {
  const server = new FakeZooKeeper(systemClock);
  const members: ReturnType<typeof join>[] = [];
  return {
    clock: systemClock,
    join: async () => {
      const member = join(systemClock, server, `member-${members.length}`);
      members.push(member);
      return member;
    },
    end: async ({ id }) => {
      const owner = server.tree.node(`${path}/${id}`).owner;
      server.expire(owner);
    },
    cleanUp: async () => {
      await Promise.all(members.map((member) => member.close()));
    },
  };
});

function join(
  clock: typeof systemClock,
  server: FakeZooKeeper,
  name: string,
  scheme?: 'http' | 'https',
) {
  const shared = { clock, random: seededRandom(name), logger: silentLogger };
  const sessions = new ZooKeeperSessions({
    ...{ ...shared, servers, credential: undefined, sessionTimeoutMs: 6000 },
    dial: server.dial(name),
  });
  const options = { ...shared, sessions, path };
  const detector = new ZooKeeperDetector(options);
  return {
    contender: new ZooKeeperContender(options, scheme),
    detector,
    close: async () => {
      detector.close();
      await sessions.close();
    },
  };
}

describe('on ZooKeeper', () => {
  let clock: VirtualClock;
  let server: FakeZooKeeper;
  let members: ReturnType<typeof join>[];
  const { signal } = new AbortController();

  beforeEach(() => {
    clock = new VirtualClock();
    server = new FakeZooKeeper(clock);
    members = [];
  });

  afterEach(async () => {
    await Promise.all([...members.map((member) => member.close()), clock.run(3000)]);
  });

  const member = (name: string) => {
    const made = join(clock, server, name);
    members.push(made);
    return made;
  };

  it("a master's node is as Mesos makes it", async () => {
    const { contender } = member('a');
    const contending = contender.contend(masterInfo('a'), signal);
    await clock.run(100);
    const { id } = await contending;
    expect(server.tree.children(path)).toEqual([id]);
    expect(id).toMatch(/^json\.info_\d{10}$/);
    const { data, owner } = server.tree.node(`${path}/${id}`);
    expect(owner).not.toBe(0n);
    expect(JSON.parse(data.toString())).toEqual({
      ...{ id: 'a', ip: 16_777_226, port: 5050, hostname: 'a' },
      address: { hostname: 'a', ip: '10.0.0.1', port: 5050 },
    });
  });

  it("a master's node says when it speaks TLS, and only then", async () => {
    const secure = join(clock, server, 'secure', 'https');
    members.push(secure);
    const { detector } = member('plain');
    const contending = secure.contender.contend(masterInfo('secure'), signal);
    await clock.run(3000);
    const { id } = await contending;
    expect(JSON.parse(server.tree.node(`${path}/${id}`).data.toString())).toMatchObject({
      ...{ id: 'secure', scheme: 'https', address: { ip: '10.0.0.1' } },
    });
    expect(detector.leader).toEqual({ id, info: masterInfo('secure'), scheme: 'https' });
    // By its name, which its certificate is made out to.
    expect(leadingOrigin(detector)).toBe('https://secure:5050');
  });

  it('masters of other makes are found, among nodes of other kinds', async () => {
    const { detector } = member('a');
    await clock.run(100);
    for (const each of ['/mesos', path]) server.tree.create(each, Buffer.alloc(0), 0n, false);
    for (const each of ['log_replicas', 'registry', 'registry_0000000000']) {
      server.tree.create(`${path}/${each}`, Buffer.from('{}'), 0n, false);
    }
    const old = encodeProtobuf('MasterInfo', masterInfo('old'));
    server.tree.create(`${path}/info_`, Buffer.from(old), 0n, true);
    const young = JSON.stringify({ ...masterInfo('young'), from_the_future: 1 });
    server.tree.create(`${path}/json.info_`, Buffer.from(young), 0n, true);
    server.dropConnections(); // nobody was told of these
    await clock.run(3000);
    expect(detector.leader?.info).toEqual(masterInfo('old'));
    server.tree.delete(`${path}/${detector.leader?.id}`, -1);
    server.dropConnections();
    await clock.run(3000);
    expect(detector.leader?.info).toMatchObject({ id: 'young' });
  });

  it('a node that holds no MasterInfo leads nobody', async () => {
    const { detector } = member('a');
    for (const each of ['/mesos', path]) server.tree.create(each, Buffer.alloc(0), 0n, false);
    server.tree.create(`${path}/json.info_`, Buffer.from('{'), 0n, true);
    await clock.run(3000);
    expect(detector.leader).toBeUndefined();
  });

  it('a lost answer does not make a second candidate of one master', async () => {
    const { contender } = member('a');
    for (const each of ['/mesos', path]) server.tree.create(each, Buffer.alloc(0), 0n, false);
    server.breakAfter = OPERATIONS.create;
    const contending = contender.contend(masterInfo('a'), signal);
    await clock.run(10_000);
    const { id } = await contending;
    expect(server.tree.children(path)).toEqual([id]);
  });

  it('what was under way when its connection broke makes no second candidate either', async () => {
    const { contender } = member('a');
    for (const each of ['/mesos', path]) server.tree.create(each, Buffer.alloc(0), 0n, false);
    server.breakBefore = OPERATIONS.create;
    const contending = contender.contend(masterInfo('a'), signal);
    await clock.run(10_000);
    const { id } = await contending;
    expect(server.tree.children(path)).toEqual([id]);
  });

  it('a node that the same master left in an earlier session does not come before its new one', async () => {
    const [a, b] = [member('a'), member('b')];
    for (const name of ['a', 'b']) {
      const data = Buffer.from(JSON.stringify(masterInfo(name)));
      for (const each of ['/mesos', path]) {
        if (name === 'a') server.tree.create(each, Buffer.alloc(0), 0n, false);
      }
      // Of a session that the server has not ended yet.
      server.tree.create(`${path}/json.info_`, data, 77n, true);
    }
    const contending = a.contender.contend(masterInfo('a'), signal);
    await clock.run(3000);
    const { id } = await contending;
    // Another's is none of its business.
    expect(server.tree.children(path)).toEqual(['json.info_0000000001', id]);
    expect(b.detector.leader?.info.id).toBe('b');
  });

  it('a leader that is cut off knows it before another leads', async () => {
    const [a, b] = [member('a'), member('b')];
    const contending = a.contender.contend(masterInfo('a'), signal);
    await clock.run(100);
    const { lost } = await contending;
    void b.contender.contend(masterInfo('b'), signal);
    await clock.run(777);
    const times = new Map<string, number>();
    void lost.then(() => {
      times.set('lost', clock.monotonicMs());
    });
    b.detector.watch((leader) => {
      times.set(leader?.info.id ?? '', clock.monotonicMs());
    });
    const cutAtMs = clock.monotonicMs();
    server.cut('a');
    await clock.runUntil(() => times.has('b'), 60_000);
    expect(times.get('lost')).toBeLessThan(times.get('b') ?? Number.NaN);
    expect((times.get('b') ?? 0) - cutAtMs).toBeLessThan(10_000);
  });

  it('a node that somebody deletes ends the candidacy', async () => {
    const [a, b] = [member('a'), member('b')];
    const contending = a.contender.contend(masterInfo('a'), signal);
    await clock.run(100);
    const { id, lost } = await contending;
    await Promise.all([b.detector.leader, clock.run(100)]);
    const client = join(clock, server, 'somebody');
    members.push(client);
    server.tree.delete(`${path}/${id}`, -1);
    server.dropConnections();
    await clock.run(3000);
    expect(await Promise.race([lost, sleep(clock, 0)])).toMatch(/somebody deleted/);
  });

  it('while ZooKeeper is away the last leader counts', async () => {
    const [a, b] = [member('a'), member('b')];
    void a.contender.contend(masterInfo('a'), signal);
    await clock.run(100);
    expect(b.detector.leader?.info.id).toBe('a');
    server.cut('b');
    await clock.run(60_000);
    expect(b.detector.leader?.info.id).toBe('a');
    server.heal('b');
    await clock.run(10_000);
    expect(b.detector.leader?.info.id).toBe('a');
  });
});
