import {
  createUndiciTransport,
  listen,
  silentLogger,
  systemClock,
  systemRandom,
} from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { MemoryElection } from '../election/index.ts';
import type { SchedulerEvent } from '../protocol/index.ts';
import { FakePeer } from './fake-peer.ts';
import { SchedulerClient, type SchedulerClientOptions } from './scheduler-client.ts';

const subscribed: SchedulerEvent = {
  type: 'SUBSCRIBED',
  subscribed: { framework_id: { value: 'fw-1' }, heartbeat_interval_seconds: 10 },
};

function fakeMaster(): FakePeer<'scheduler.Call', 'scheduler.Event'> {
  const names = { call: 'scheduler.Call', event: 'scheduler.Event' } as const;
  return new FakePeer('/api/v1/scheduler', names);
}

async function setUp(options: Partial<SchedulerClientOptions> = {}) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  const master = fakeMaster();
  await network.attach('http://m1:5050', master.app);
  const events: SchedulerEvent[] = [];
  const states: string[] = [];
  const client = new SchedulerClient({
    transport: network.transport('scheduler'),
    clock,
    random: seededRandom(2),
    logger: silentLogger,
    masters: ['http://m1:5050'],
    frameworkInfo: { user: 'root', name: 'test', roles: ['eng'] },
    onEvent: (event) => {
      events.push(event);
    },
    onState: (state) => {
      states.push(state);
    },
    ...options,
  });
  return { clock, network, master, client, events, states, ended: watch(client, clock) };
}

/** Starts the client; its end is kept, so that a failure is never an unhandled rejection. */
function watch(client: SchedulerClient, clock: VirtualClock) {
  const end: { isDone: boolean; error: unknown } = { isDone: false, error: undefined };
  const finish = (error: unknown): void => {
    end.isDone = true;
    end.error = error;
    clock.noteActivity();
  };
  client.run().then(() => finish(undefined), finish);
  return end;
}

async function subscribe(world: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  await world.clock.runUntil(() => world.master.openStreams > 0, 30_000);
  world.master.send(subscribed);
  await world.clock.runUntil(() => world.client.state === 'subscribed', 1000);
}

describe('a scheduler client', () => {
  it.each(['json', 'protobuf'] as const)(
    'subscribes, gets events in order, calls (%s)',
    async (encoding) => {
      const world = await setUp({ encoding, credential: { principal: 'p', secret: 's' } });
      await subscribe(world);
      const { client, clock, master, events, states } = world;
      expect(states).toEqual(['connected', 'subscribed']);
      expect(client.frameworkId).toBe('fw-1');
      const rescind = (value: string): SchedulerEvent => ({
        type: 'RESCIND',
        rescind: { offer_id: { value } },
      });
      master.send({ type: 'HEARTBEAT' }, rescind('1'), rescind('2'), rescind('3'));
      await clock.run(100);
      expect(events).toEqual([subscribed, { type: 'HEARTBEAT' }, ...['1', '2', '3'].map(rescind)]);
      const call = client.call({ type: 'DECLINE', decline: { offer_ids: [{ value: 'o' }] } });
      await clock.run(100);
      await call;
      expect(master.callsOf('DECLINE')).toEqual([
        {
          type: 'DECLINE',
          framework_id: { value: 'fw-1' },
          decline: { offer_ids: [{ value: 'o' }] },
        },
      ]);
      expect(master.headers.at(-1)).toMatchObject({
        'mesos-stream-id': 'stream-1',
        authorization: `Basic ${Buffer.from('p:s').toString('base64')}`,
      });
      const stopped = client.stop();
      await clock.run(10);
      await stopped;
      expect(world.ended).toEqual({ isDone: true, error: undefined });
      expect(states.at(-1)).toBe('disconnected');
    },
  );

  it('subscribes again with its framework id when the stream ends', async () => {
    const world = await setUp();
    await subscribe(world);
    const sent = world.client.call({ type: 'SUPPRESS' });
    await world.clock.run(10);
    await sent;
    world.master.endStreams();
    await world.clock.runUntil(() => world.master.openStreams > 0, 30_000);
    expect(world.master.callsOf('SUBSCRIBE').at(-1)).toEqual({
      type: 'SUBSCRIBE',
      framework_id: { value: 'fw-1' },
      subscribe: {
        framework_info: { user: 'root', name: 'test', roles: ['eng'], id: { value: 'fw-1' } },
        suppressed_roles: ['eng'],
      },
    });
    await expect(world.client.call({ type: 'REVIVE' })).rejects.toMatchObject({
      code: 'MESOS_ERR_NOT_SUBSCRIBED',
    });
  });

  it('gives up a connection whose heartbeats stop, but not one that only beats', async () => {
    const world = await setUp({ heartbeatsMissedMax: 2 });
    await subscribe(world);
    for (let beat = 0; beat < 10; beat += 1) {
      world.master.send({ type: 'HEARTBEAT' });
      await world.clock.run(20_000);
    }
    expect(world.client.state).toBe('subscribed');
    await world.clock.run(9000);
    expect(world.client.state).toBe('subscribed');
    await world.clock.run(2000);
    expect(world.client.state).not.toBe('subscribed');
    await world.clock.runUntil(() => world.master.callsOf('SUBSCRIBE').length === 2, 60_000);
  });

  it('does not count its own slow handler as silence', async () => {
    const world = await setUp({
      heartbeatsMissedMax: 1,
      onEvent: (event) =>
        new Promise((resolve) => {
          if (event.type === 'MESSAGE') world.clock.after(100_000, () => resolve());
          else resolve();
        }),
    });
    await subscribe(world);
    const message = { agent_id: { value: 'a' }, executor_id: { value: 'e' }, data: '' };
    world.master.send({ type: 'MESSAGE', message });
    await world.clock.run(99_000);
    expect(world.client.state).toBe('subscribed');
  });

  it('finds the leader by redirect, and another when that one dies', async () => {
    const world = await setUp({ masters: ['http://m0:5050', 'http://m1:5050', 'http://m2:5050'] });
    const leader = fakeMaster();
    await world.network.attach('http://m2:5050', leader.app);
    world.master.answer = () => ({ status: 307, headers: { location: '//m2:5050' } });
    await world.clock.runUntil(() => leader.openStreams > 0, 30_000);
    leader.send(subscribed);
    await world.clock.runUntil(() => world.client.state === 'subscribed', 1000);
    expect(world.client.master).toBe('http://m2:5050');
    world.master.answer = () => undefined;
    await world.network.detach('http://m2:5050');
    await world.clock.runUntil(() => world.master.openStreams > 0, 120_000);
    expect(world.client.master).toBe('http://m1:5050');
  });

  it('goes on when masters point to each other, with pauses', async () => {
    const world = await setUp();
    const other = fakeMaster();
    await world.network.attach('http://m2:5050', other.app);
    world.master.answer = () => ({ status: 307, headers: { location: 'http://m2:5050/x' } });
    other.answer = () => ({ status: 307, headers: { location: '//m1:5050' } });
    await world.clock.run(60_000);
    const attempts = world.master.calls.length + other.calls.length;
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(200);
  });

  it('waits with growing pauses for a master that does not lead yet', async () => {
    const world = await setUp();
    world.master.answer = () => ({ status: 503, body: 'No leader elected' });
    await world.clock.run(60_000);
    const attempts = world.master.calls.length;
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(40);
    world.master.answer = () => undefined;
    await subscribe(world);
  });

  it.each([
    ['Framework has been removed', 'removed'],
    ['Framework failed over', 'failed-over'],
    ["'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable", 'refused'],
  ])('ends at ERROR %j', async (message, reason) => {
    const world = await setUp();
    await subscribe(world);
    world.master.send({ type: 'ERROR', error: { message } });
    await world.clock.run(60_000);
    const code = 'MESOS_ERR_SUBSCRIPTION_REJECTED';
    expect(world.ended.error).toMatchObject({ code, reason, message });
    expect(world.events.at(-1)).toEqual({ type: 'ERROR', error: { message } });
    expect(world.master.callsOf('SUBSCRIBE')).toHaveLength(1);
  });

  it('ends when the master refuses the subscription', async () => {
    const world = await setUp();
    world.master.answer = () => ({ status: 403, body: 'Not allowed' });
    await world.clock.run(60_000);
    expect(world.ended.error).toMatchObject({
      reason: 'refused',
      message: 'SUBSCRIBE was answered with 403: Not allowed',
    });
  });

  it('ends with what its handler throws', async () => {
    const broken = new Error('a bug in the framework');
    const world = await setUp({
      onEvent: () => {
        throw broken;
      },
    });
    await world.clock.runUntil(() => world.master.openStreams > 0, 30_000);
    world.master.send(subscribed);
    await world.clock.run(1000);
    expect(world.ended).toEqual({ isDone: true, error: broken });
  });

  it('tells a refused call, and one without an answer', async () => {
    const world = await setUp({ callTimeoutMs: 5000 });
    await subscribe(world);
    world.master.answer = () => ({ status: 400, body: 'Framework cannot be found' });
    const refused = expect(world.client.call({ type: 'REVIVE' })).rejects.toMatchObject({
      code: 'MESOS_ERR_CALL_REFUSED',
      status: 400,
    });
    await world.clock.run(100);
    await refused;
    world.network.setFaults({ dropRequest: 1 });
    const unanswered = expect(world.client.call({ type: 'REVIVE' })).rejects.toMatchObject({
      code: 'FACTORY_ERR_HTTP_TRANSPORT',
    });
    await world.clock.run(6000);
    await unanswered;
  });

  it('takes a stream that is not RecordIO as a broken one', async () => {
    const world = await setUp();
    await subscribe(world);
    world.master.sendBytes(Buffer.from('<html>'));
    await world.clock.runUntil(() => world.master.callsOf('SUBSCRIBE').length === 2, 60_000);
  });
});

describe('over real sockets', () => {
  it('a scheduler client takes a burst of events, makes many calls, and stops', async () => {
    const master = fakeMaster();
    const server = await listen(master.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
    const transport = createUndiciTransport();
    const heard: string[] = [];
    const client = new SchedulerClient({
      transport,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      masters: [server.url],
      frameworkInfo: { user: 'root', name: 'test' },
      onEvent: (event) => {
        if (event.type === 'RESCIND') heard.push(event.rescind.offer_id.value);
      },
    });
    const run = client.run();
    await expect.poll(() => master.openStreams).toBe(1);
    master.send(subscribed);
    const offers = Array.from({ length: 5000 }, (_, index) => `offer-${index}`);
    for (const value of offers) {
      master.send({ type: 'RESCIND', rescind: { offer_id: { value } } });
    }
    await expect.poll(() => heard.length, { timeout: 5000 }).toBe(offers.length);
    expect(heard).toEqual(offers);
    await Promise.all(
      offers
        .slice(0, 500)
        .map((value) => client.call({ type: 'DECLINE', decline: { offer_ids: [{ value }] } })),
    );
    expect(master.callsOf('DECLINE')).toHaveLength(500);
    await client.stop();
    await expect(run).resolves.toBeUndefined();
    await server.close();
    await transport.close();
  });
});

describe('a scheduler client with a detector', () => {
  const masterAt = (ip: string) => ({ id: ip, ip: 0, port: 5050, address: { ip, port: 5050 } });
  const { signal } = new AbortController();

  it('waits for a leader, and follows the next one at once', async () => {
    const election = new MemoryElection();
    const world = await setUp({ masters: election });
    const { clock, network, client } = world;
    const [first, second] = [fakeMaster(), fakeMaster()];
    await network.attach('http://10.0.0.1:5050', first.app);
    await network.attach('http://10.0.0.2:5050', second.app);
    await clock.run(30_000);
    expect([client.state, client.master]).toEqual(['disconnected', '']);
    const { id } = await election.contend(masterAt('10.0.0.1'), signal);
    await election.contend(masterAt('10.0.0.2'), signal);
    await clock.run(20);
    first.send(subscribed);
    await clock.run(20);
    expect([client.state, client.master]).toEqual(['subscribed', 'http://10.0.0.1:5050']);
    election.remove(id, 'gone');
    await clock.run(20);
    expect(second.callsOf('SUBSCRIBE')).toMatchObject([{ framework_id: { value: 'fw-1' } }]);
    await client.stop();
    await clock.run(10);
    expect(world.ended).toEqual({ isDone: true, error: undefined });
  });
});
