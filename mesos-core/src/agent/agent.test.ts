import { afterEach, describe, expect, it } from 'vitest';
import { FRAMEWORK, runTasks, task, tinyExecutor } from './testing/scenario.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

const EXECUTOR = tinyExecutor();
const IDS = { framework_id: 'framework-1', executor_id: 'executor-1' };

let world: SimulatedWorld;

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

describe('an agent', () => {
  it('subscribes with what it is, and keeps the id that the master gave', async () => {
    world = await createWorld();
    expect(world.master.subscriptions).toMatchObject([
      { agent_info: { hostname: 'agent-1', port: 5051 }, tasks: [], frameworks: [] },
    ]);
    expect(world.master.subscriptions[0]?.agent_info.id).toBeUndefined();
    await world.crashAgent();
    await world.startAgent();
    await world.clock.run(100);
    expect(world.master.subscriptions[1]?.agent_info.id).toEqual({ value: 'agent-1' });
  });

  it('launches one executor for many tasks and reports each once', async () => {
    world = await createWorld();
    world.master.send(runTasks(EXECUTOR, 'a', 'b'));
    world.master.send(runTasks(EXECUTOR, 'c'));
    // A stream that repeats itself must not launch twice.
    world.master.send(runTasks(EXECUTOR, 'a', 'b', 'c'));
    await world.clock.run(1000);
    expect(world.executors).toHaveLength(1);
    expect(world.executors[0]?.launched).toEqual(['a', 'b', 'c']);
    expect(world.master.updates.map((update) => update.task_id.value)).toEqual(['a', 'b', 'c']);
  });

  it('launches a task group as one', async () => {
    world = await createWorld();
    const tasks = [task('a', EXECUTOR), task('b', EXECUTOR)];
    world.master.send({ ...runTasks(EXECUTOR, 'a', 'b'), task_group: { tasks } });
    await world.clock.run(1000);
    expect(world.executors[0]?.events.map((event) => event.type)).toContain('LAUNCH_GROUP');
    expect(world.executors[0]?.launched).toEqual(['a', 'b']);
  });

  it('passes messages both ways', async () => {
    world = await createWorld();
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.master.send({ type: 'MESSAGE', ...IDS, data: 'cGluZw==' });
    world.executors[0]?.message('pong');
    await world.clock.run(1000);
    expect(world.executors[0]?.events).toContainEqual({
      type: 'MESSAGE',
      message: { data: 'cGluZw==' },
    });
    const messages = world.master.calls.filter((call) => call.type === 'MESSAGE');
    expect(messages).toEqual([{ type: 'MESSAGE', agent_id: 'agent-1', ...IDS, data: 'cG9uZw==' }]);
  });

  it('ends the tasks of an executor that crashed, and runs the next in a new container', async () => {
    world = await createWorld();
    world.master.send(runTasks(EXECUTOR, 'a', 'b'));
    await world.clock.run(1000);
    world.executors[0]?.exit(9 << 8);
    world.master.send(runTasks(EXECUTOR, 'c'));
    await world.clock.run(1000);
    const kinds = world.master.calls.map((call) => call.type);
    expect(kinds.indexOf('EXECUTOR_EXITED')).toBeLessThan(kinds.lastIndexOf('UPDATE'));
    expect(world.master.calls).toContainEqual({
      type: 'EXECUTOR_EXITED',
      agent_id: 'agent-1',
      ...IDS,
      container_id: world.executors[0]?.request.containerId,
      status: 2304,
    });
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    expect(world.updatesOf('b')).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    expect(world.updatesOf('c')).toEqual(['TASK_RUNNING']);
    const failed = world.master.updates.find((update) => update.state === 'TASK_FAILED');
    expect(failed).toMatchObject({
      message: 'Executor terminated',
      source: 'SOURCE_AGENT',
      reason: 'REASON_EXECUTOR_TERMINATED',
      executor_id: { value: 'executor-1' },
    });
    expect(failed).not.toHaveProperty('container_status');
    const [first, second] = world.executors.map(({ request }) => request);
    expect(second?.containerId).not.toBe(first?.containerId);
    expect(second?.directory).not.toBe(first?.directory);
  });

  it('kills an executor that does not subscribe in time', async () => {
    const executorRegistrationTimeoutMs = 60_000;
    world = await createWorld({ areSilent: true, settings: { executorRegistrationTimeoutMs } });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(59_000);
    expect(world.master.updates).toEqual([]);
    await world.clock.run(2000);
    expect(world.host.running.size).toBe(0);
    expect(world.master.updates).toMatchObject([
      {
        state: 'TASK_FAILED',
        reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT',
        message: 'Executor did not register within 1mins',
        source: 'SOURCE_AGENT',
      },
    ]);
  });

  it('ends a task that waits for its executor without bothering the executor', async () => {
    world = await createWorld({ areSilent: true });
    world.master.send(runTasks(EXECUTOR, 'a', 'b'));
    world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
    await world.clock.run(1000);
    expect(world.master.updates).toMatchObject([
      { task_id: { value: 'a' }, state: 'TASK_KILLED', reason: 'REASON_TASK_KILLED_DURING_LAUNCH' },
    ]);
  });

  it('shuts an executor down: asks first, kills after the grace period', async () => {
    world = await createWorld({ ignoresShutdown: true });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN_EXECUTOR', ...IDS });
    await world.clock.run(4500);
    expect(world.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
    expect(world.host.running.size).toBe(1);
    await world.clock.run(1000);
    expect(world.host.running.size).toBe(0);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
  });

  it('kills an executor that was told to end while it was being started', async () => {
    world = await createWorld({ areSilent: true, checkpointMs: 8000 });
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN_EXECUTOR', ...IDS });
    await world.clock.run(60_000);
    expect(world.host.running.size).toBe(0);
    expect(world.updatesOf('a')).toEqual(['TASK_FAILED']);
  });

  it('ends and forgets a framework that is gone, without a word about its tasks', async () => {
    world = await createWorld();
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'framework-1' });
    await world.clock.run(10_000);
    expect(world.host.running.size).toBe(0);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING']);
    world.master.cut();
    await world.clock.run(10_000);
    expect(world.master.subscriptions.at(-1)).toMatchObject({ frameworks: [], tasks: [] });
  });

  it('starts over with a new id when the master removed it', async () => {
    world = await createWorld();
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN', message: 'agent was unreachable for too long' });
    await world.clock.run(10_000);
    expect(world.host.running.size).toBe(0);
    const last = world.master.subscriptions.at(-1);
    expect(last?.tasks).toEqual([]);
    expect(last?.agent_info.id).toBeUndefined();
  });

  it('sends an update again until it is acknowledged, and the next only then', async () => {
    const settings = { statusUpdateRetryMinMs: 1000, statusUpdateRetryMaxMs: 4000 };
    world = await createWorld({ settings });
    world.master.autoAcknowledge = false;
    world.master.send(runTasks(EXECUTOR, 'a'));
    await world.clock.run(500);
    world.executors[0]?.update('a', 'TASK_FINISHED');
    await world.clock.run(20_000);
    const sent = world.master.calls.filter((call) => call.type === 'UPDATE');
    expect(new Set(sent.map((call) => call.status.state))).toEqual(new Set(['TASK_RUNNING']));
    // At 0, 1, 3, 7, 11, 15, 19 s.
    expect(sent).toHaveLength(7);
    expect(sent.at(-1)).toMatchObject({ latest_state: 'TASK_FINISHED' });
    world.master.autoAcknowledge = true;
    await world.clock.run(10_000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_FINISHED']);
    const count = world.master.calls.length;
    await world.clock.run(14_000);
    // Nothing but heartbeats when all is acknowledged.
    const later = world.master.calls.slice(count).map((call) => call.type);
    expect(later.every((type) => type === 'HEARTBEAT')).toBe(true);
  });

  it.each([
    [
      { ...EXECUTOR, command: { value: 'x', uris: [{ value: 'http://a/b.tgz' }] } },
      /does not fetch/,
    ],
  ])('says why it can not run a task (%#)', async (executor, why) => {
    world = await createWorld();
    world.master.send(runTasks(executor, 'a'));
    await world.clock.run(1000);
    expect(world.executors).toEqual([]);
    expect(world.master.updates).toMatchObject([
      {
        state: 'TASK_FAILED',
        reason: 'REASON_CONTAINER_LAUNCH_FAILED',
        message: expect.stringMatching(why),
      },
    ]);
  });

  it('refuses ids that would leave the work directory', async () => {
    world = await createWorld();
    world.master.send(runTasks({ ...EXECUTOR, executor_id: { value: '../../etc' } }, 'a'));
    await world.clock.run(1000);
    expect(world.master.updates).toMatchObject([
      { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID' },
    ]);
  });

  it('leaves nothing of a framework that does not checkpoint when it comes back', async () => {
    world = await createWorld();
    const framework = { ...FRAMEWORK, checkpoint: false };
    world.master.send({ ...runTasks(EXECUTOR, 'a'), framework });
    await world.clock.run(1000);
    expect(world.executors[0]?.request.environment.MESOS_CHECKPOINT).toBe('0');
    await world.crashAgent();
    await world.startAgent();
    await world.clock.run(1000);
    expect(world.host.running.size).toBe(0);
    expect(world.master.subscriptions.at(-1)).toMatchObject({ tasks: [], frameworks: [] });
  });
});
