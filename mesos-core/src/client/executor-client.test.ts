import { readFileSync } from 'node:fs';
import { silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import type { ExecutorEvent, TaskInfo } from '../protocol/index.ts';
import { ExecutorClient, type ExecutorClientOptions } from './executor-client.ts';
import { type ExecutorEnvironment, readExecutorEnvironment } from './executor-environment.ts';
import { FakePeer } from './fake-peer.ts';

const environment: ExecutorEnvironment = {
  frameworkId: 'fw-1',
  executorId: 'exec-1',
  agentId: 'agent-1',
  agentUrl: 'http://agent:5051',
  sandbox: '/sandbox',
  checkpoint: true,
  recoveryTimeoutMs: 60_000,
  subscriptionBackoffMaxMs: 2000,
  shutdownGracePeriodMs: 5000,
  authenticationToken: undefined,
};
const task = (id: string): TaskInfo => ({
  name: id,
  task_id: { value: id },
  agent_id: { value: 'agent-1' },
});
const subscribed: ExecutorEvent = {
  type: 'SUBSCRIBED',
  subscribed: {
    executor_info: { executor_id: { value: 'exec-1' } },
    framework_info: { user: 'root', name: 'test' },
    agent_info: { hostname: 'agent' },
  },
};
const acknowledged = (id: string, uuid: string): ExecutorEvent => ({
  type: 'ACKNOWLEDGED',
  acknowledged: { task_id: { value: id }, uuid },
});

async function setUp(options: Partial<ExecutorClientOptions> = {}) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  const names = { call: 'executor.Call', event: 'executor.Event' } as const;
  const agent = new FakePeer('/api/v1/executor', names);
  await network.attach('http://agent:5051', agent.app);
  const events: ExecutorEvent[] = [];
  const client = new ExecutorClient({
    transport: network.transport('executor'),
    clock,
    random: seededRandom(2),
    logger: silentLogger,
    environment,
    onEvent: (event) => {
      events.push(event);
    },
    ...options,
  });
  const end: { isDone: boolean; error: unknown } = { isDone: false, error: undefined };
  const finish = (error: unknown): void => {
    end.isDone = true;
    end.error = error;
    clock.noteActivity();
  };
  client.run().then(() => finish(undefined), finish);
  return { clock, network, agent, client, events, end };
}

async function subscribe(world: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  await world.clock.runUntil(() => world.agent.openStreams > 0, 30_000);
  world.agent.send(subscribed);
  await world.clock.runUntil(() => world.client.isSubscribed, 1000);
}

describe('an executor client', () => {
  it.each(['json', 'protobuf'] as const)(
    'subscribes, updates, sends messages (%s)',
    async (encoding) => {
      const world = await setUp({
        encoding,
        environment: { ...environment, authenticationToken: 'jwt' },
      });
      await subscribe(world);
      const { agent, client, clock } = world;
      agent.send({ type: 'LAUNCH', launch: { task: task('t1') } });
      await clock.run(10);
      const uuid = client.update({ task_id: { value: 't1' }, state: 'TASK_RUNNING' });
      const message = client.message('cG9uZw==');
      await clock.run(100);
      await message;
      const ids = { executor_id: { value: 'exec-1' }, framework_id: { value: 'fw-1' } };
      expect(agent.calls).toEqual([
        expect.objectContaining({ ...ids, type: 'SUBSCRIBE' }),
        {
          ...ids,
          type: 'UPDATE',
          update: {
            status: {
              task_id: { value: 't1' },
              state: 'TASK_RUNNING',
              source: 'SOURCE_EXECUTOR',
              uuid,
              timestamp: expect.closeTo(Date.UTC(2026, 0, 1) / 1000, 0),
              executor_id: { value: 'exec-1' },
            },
          },
        },
        { ...ids, type: 'MESSAGE', message: { data: 'cG9uZw==' } },
      ]);
      expect(agent.headers.at(-1)).toMatchObject({ authorization: 'Bearer jwt' });
      expect(Buffer.from(uuid, 'base64')).toHaveLength(16);
      expect(client.unacknowledgedUpdates).toHaveLength(1);
      agent.send(acknowledged('t1', uuid));
      await clock.run(10);
      expect(client.unacknowledgedUpdates).toEqual([]);
      const stopped = client.stop();
      await clock.run(10);
      await stopped;
      expect(world.end).toEqual({ isDone: true, error: undefined });
    },
  );

  it('tells an agent that comes back what it may have missed', async () => {
    const world = await setUp();
    await subscribe(world);
    const { agent, client, clock, network } = world;
    agent.send(
      { type: 'LAUNCH', launch: { task: task('acknowledged') } },
      { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks: [task('a'), task('b')] } } },
    );
    const first = client.update({ task_id: { value: 'acknowledged' }, state: 'TASK_RUNNING' });
    await clock.run(10);
    agent.send(acknowledged('acknowledged', first));
    await clock.run(10);
    network.detach('http://agent:5051');
    client.update({ task_id: { value: 'a' }, state: 'TASK_RUNNING' });
    await clock.run(20_000);
    client.update({ task_id: { value: 'a' }, state: 'TASK_FINISHED' });
    expect(world.end.isDone).toBe(false);
    await network.attach('http://agent:5051', agent.app);
    agent.endStreams();
    const before = agent.calls.length;
    await subscribe(world);
    await clock.run(5000);
    const [again, ...others] = agent.calls.slice(before);
    const status = (state: string) => ({ status: expect.objectContaining({ state }) });
    expect(again).toMatchObject({
      type: 'SUBSCRIBE',
      subscribe: {
        unacknowledged_tasks: [task('a'), task('b')],
        unacknowledged_updates: [status('TASK_RUNNING'), status('TASK_FINISHED')],
      },
    });
    expect(others).toEqual([]);
    expect(client.unacknowledgedUpdates).toHaveLength(2);
  });

  it('sends updates in order, and again when one is not answered', async () => {
    const world = await setUp();
    await subscribe(world);
    const { agent, client, clock } = world;
    let failures = 2;
    agent.answer = (call) => {
      if (call.type !== 'UPDATE' || failures === 0) return undefined;
      failures -= 1;
      return { status: 503, body: 'busy' };
    };
    for (const state of ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'] as const) {
      client.update({ task_id: { value: 't' }, state });
    }
    await clock.run(5000);
    const states = agent.calls.flatMap((call) =>
      call.type === 'UPDATE' ? [call.update.status.state] : [],
    );
    expect(states.slice(-3)).toEqual(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED']);
    expect(states).toHaveLength(5);
  });

  it('ends when the agent goes and the framework does not checkpoint', async () => {
    const world = await setUp({ environment: { ...environment, checkpoint: false } });
    await subscribe(world);
    world.agent.endStreams();
    await world.clock.run(1000);
    expect(world.end.error).toMatchObject({ code: 'MESOS_ERR_AGENT_LOST' });
  });

  it('ends when the agent does not come back in time', async () => {
    const world = await setUp();
    await subscribe(world);
    world.network.detach('http://agent:5051');
    world.agent.endStreams();
    await world.clock.run(55_000);
    expect(world.end.isDone).toBe(false);
    await world.clock.run(10_000);
    expect(world.end.error).toMatchObject({
      code: 'MESOS_ERR_AGENT_LOST',
      message: 'The agent did not come back within 60000 ms',
    });
  });

  it('waits while the agent recovers, but not when it does not know the executor', async () => {
    const world = await setUp();
    world.agent.answer = () => ({ status: 503, body: 'Agent has not finished recovery' });
    await world.clock.run(10_000);
    expect(world.end.isDone).toBe(false);
    world.agent.answer = () => ({ status: 400, body: 'Framework cannot be found' });
    await world.clock.run(5000);
    expect(world.end.error).toMatchObject({
      code: 'MESOS_ERR_SUBSCRIPTION_REJECTED',
      reason: 'refused',
    });
  });

  it('sends the last updates after SHUTDOWN, and ends with the stream', async () => {
    const world = await setUp();
    await subscribe(world);
    world.agent.send({ type: 'SHUTDOWN' });
    await world.clock.run(10);
    world.client.update({ task_id: { value: 't' }, state: 'TASK_KILLED' });
    await world.clock.run(10);
    expect(world.agent.callsOf('UPDATE')).toHaveLength(1);
    world.agent.endStreams();
    await world.clock.run(1000);
    expect(world.end).toEqual({ isDone: true, error: undefined });
    expect(world.agent.callsOf('SUBSCRIBE')).toHaveLength(1);
  });

  it('ends with what its handler throws', async () => {
    const broken = new Error('a bug in the executor');
    const world = await setUp({ onEvent: () => Promise.reject(broken) });
    await world.clock.runUntil(() => world.agent.openStreams > 0, 30_000);
    world.agent.send(subscribed);
    await world.clock.run(5000);
    expect(world.end).toEqual({ isDone: true, error: broken });
  });

  it('has no message to send without a subscription', async () => {
    const world = await setUp();
    await expect(world.client.message('')).rejects.toMatchObject({
      code: 'MESOS_ERR_NOT_SUBSCRIBED',
    });
  });
});

describe('the environment of an executor', () => {
  const file = new URL('../../fixtures/recordings.jsonl', import.meta.url);
  const recorded: Record<string, string> = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .find(({ env }) => env !== undefined).env;

  it('is read as Apache Mesos sets it', () => {
    expect(readExecutorEnvironment(recorded)).toEqual({
      frameworkId: recorded.MESOS_FRAMEWORK_ID,
      executorId: 'exec-1',
      agentId: recorded.MESOS_SLAVE_ID,
      agentUrl: 'http://127.0.0.1:5051',
      sandbox: recorded.MESOS_SANDBOX,
      checkpoint: true,
      recoveryTimeoutMs: 900_000,
      subscriptionBackoffMaxMs: 2000,
      shutdownGracePeriodMs: 5000,
      authenticationToken: undefined,
    });
  });

  it.each([
    [{ MESOS_FRAMEWORK_ID: '' }, "Expecting 'MESOS_FRAMEWORK_ID' to be set"],
    [{ MESOS_AGENT_ENDPOINT: 'no address' }, 'MESOS_AGENT_ENDPOINT is no address'],
    [{ MESOS_RECOVERY_TIMEOUT: 'soon' }, "MESOS_RECOVERY_TIMEOUT is no duration: 'soon'"],
  ])('%j is refused', (changes, message) => {
    expect(() => readExecutorEnvironment({ ...recorded, ...changes })).toThrow(message);
  });
});
