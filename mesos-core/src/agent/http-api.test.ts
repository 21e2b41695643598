import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeMessage, type ExecutorCall, encodeMessage } from '../protocol/index.ts';
import { runTasks, tinyExecutor } from './testing/scenario.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };
const IDS = { executor_id: { value: 'executor-1' }, framework_id: { value: 'framework-1' } };

let world: SimulatedWorld;

beforeEach(async () => {
  world = await createWorld();
});

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

async function call(path: string, payload: unknown, headers = JSON_HEADERS) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const answer = world.agent.app.inject({ method: 'POST', url: path, headers, payload: body });
  const { statusCode, body: text, headers: got } = await answer;
  return { status: statusCode, body: text, type: got['content-type'] };
}

async function operator(type: string): Promise<unknown> {
  const { status, body } = await call('/api/v1', { type });
  expect(status).toBe(200);
  return JSON.parse(body);
}

async function startTasks(): Promise<void> {
  world.master.send(runTasks(tinyExecutor(), 'a', 'b'));
  await world.clock.run(1000);
}

describe('executor API', () => {
  const path = '/api/v1/executor';
  const status = {
    task_id: { value: 'a' },
    state: 'TASK_RUNNING',
    source: 'SOURCE_EXECUTOR',
    uuid: 'vC79HmfmTOO50bkHwWcRWQ==',
  };

  // The first answers are from the recordings of a Mesos 1.12.
  it.each([
    [{ type: 'SUBSCRIBE', ...IDS, subscribe: {} }, 400, 'Framework cannot be found'],
    [{}, 400, "Failed to validate executor::Call: Expecting 'type' to be present"],
    [
      { type: 'SUBSCRIBE', ...IDS },
      400,
      "Failed to validate executor::Call: Expecting 'subscribe' to be present",
    ],
  ])('answers %j as Mesos does', async (payload, expected, text) => {
    const complete = 'executor_id' in payload ? payload : { ...IDS, ...payload };
    const answer = await call(path, complete);
    expect(answer).toEqual({ status: expected, body: text, type: 'text/plain; charset=utf-8' });
  });

  it('answers malformed bodies and wrong types as Mesos does', async () => {
    expect((await call(path, '{')).status).toBe(400);
    const text = { ...JSON_HEADERS, 'content-type': 'text/plain' };
    expect(await call(path, 'x', text)).toMatchObject({
      status: 415,
      body: "Expecting 'Content-Type' of application/json or application/x-protobuf",
    });
    await startTasks();
    const html = { ...JSON_HEADERS, accept: 'text/html' };
    const subscribe = { type: 'SUBSCRIBE', ...IDS, subscribe: {} };
    expect((await call(path, subscribe, html)).status).toBe(406);
  });

  it('knows frameworks, but not every executor', async () => {
    await startTasks();
    const other = { ...IDS, executor_id: { value: 'other' }, type: 'SUBSCRIBE', subscribe: {} };
    expect(await call(path, other)).toMatchObject({
      status: 400,
      body: 'Executor cannot be found',
    });
  });

  it.each([
    [{ ...status, uuid: undefined }, /Expecting 'uuid' to be present/],
    [{ ...status, uuid: 'AAAA' }, /16 bytes/],
    [{ ...status, source: 'SOURCE_MASTER' }, /expecting SOURCE_EXECUTOR/],
    [{ ...status, state: 'TASK_STAGING' }, /TASK_STAGING/],
    [{ ...status, executor_id: { value: 'other' } }, /does not match/],
  ])('refuses an update that is not one (%#)', async (wrong, why) => {
    await startTasks();
    const answer = await call(path, { type: 'UPDATE', ...IDS, update: { status: wrong } });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(why);
  });

  it('refuses calls of an executor that has not subscribed', async () => {
    world.network.cut('executor-0', 'http://agent-1:5051');
    await startTasks();
    expect(await call(path, { type: 'UPDATE', ...IDS, update: { status } })).toMatchObject({
      status: 403,
      body: 'Executor is not subscribed',
    });
  });

  it('closes the older stream of an executor that subscribes again', async () => {
    await startTasks();
    const open = () =>
      world.agent.app.inject({
        method: 'POST',
        url: path,
        headers: JSON_HEADERS,
        payload: JSON.stringify({ type: 'SUBSCRIBE', ...IDS, subscribe: {} }),
        payloadAsStream: true,
      });
    const first = await open();
    const ended = new Promise((resolve) => first.stream().once('end', resolve).resume());
    await open();
    await ended;
  });

  it('speaks protobuf', async () => {
    await startTasks();
    const wire = { 'content-type': 'application/x-protobuf', accept: 'application/x-protobuf' };
    const subscribe: ExecutorCall = { type: 'SUBSCRIBE', ...IDS, subscribe: {} };
    const answer = await world.agent.app.inject({
      method: 'POST',
      url: path,
      headers: wire,
      payload: Buffer.from(encodeMessage('executor.Call', 'protobuf', subscribe)),
      payloadAsStream: true,
    });
    expect(answer.headers['content-type']).toBe('application/x-protobuf');
    const chunk = await new Promise<Buffer>((resolve) => answer.stream().once('data', resolve));
    const newline = chunk.indexOf('\n');
    const length = Number(chunk.subarray(0, newline).toString());
    const record = chunk.subarray(newline + 1, newline + 1 + length);
    expect(decodeMessage('executor.Event', 'protobuf', record)).toMatchObject({
      type: 'SUBSCRIBED',
      subscribed: { executor_info: { name: 'tiny' }, agent_info: { id: { value: 'agent-1' } } },
    });
  });
});

describe('operator API', () => {
  it('answers GET_HEALTH, GET_VERSION and the plain endpoints', async () => {
    expect(await operator('GET_HEALTH')).toEqual({
      type: 'GET_HEALTH',
      get_health: { healthy: true },
    });
    expect(await operator('GET_VERSION')).toMatchObject({
      get_version: { version_info: { version: '1.12.0' } },
    });
    const get = async (url: string) => (await world.agent.app.inject({ url })).statusCode;
    for (const url of ['/health', '/version', '/metrics', '/metrics/snapshot', '/containers']) {
      expect([url, await get(url)]).toEqual([url, 200]);
    }
    expect(await get('/health/live')).toBe(200);
    expect(await get('/health/ready')).toBe(200);
    world.network.detach('http://master');
    await world.clock.run(1000);
    expect(await get('/health/ready')).toBe(503);
  });

  it('shows agent, frameworks, executors, tasks and containers with the keys of Mesos', async () => {
    await startTasks();
    world.executors[0]?.update('a', 'TASK_FINISHED');
    await world.clock.run(1000);
    expect(await operator('GET_AGENT')).toMatchObject({
      get_agent: {
        agent_info: {
          hostname: 'agent-1',
          port: 5051,
          resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 8 } }],
          attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'r1' } }],
          id: { value: 'agent-1' },
        },
      },
    });
    expect(await operator('GET_FRAMEWORKS')).toMatchObject({
      get_frameworks: {
        frameworks: [{ framework_info: { name: 'test' } }],
        completed_frameworks: [],
      },
    });
    const running = world.executors[0]?.request;
    expect(await operator('GET_CONTAINERS')).toMatchObject({
      get_containers: {
        containers: [
          {
            framework_id: { value: 'framework-1' },
            executor_id: { value: 'executor-1' },
            executor_name: 'tiny',
            container_id: { value: running?.containerId },
            container_status: { executor_pid: 101 },
          },
        ],
      },
    });
    expect(await operator('GET_TASKS')).toMatchObject({
      get_tasks: {
        pending_tasks: [],
        queued_tasks: [],
        launched_tasks: [
          {
            task_id: { value: 'b' },
            state: 'TASK_RUNNING',
            status_update_state: 'TASK_RUNNING',
            statuses: [{ state: 'TASK_RUNNING' }],
          },
        ],
        terminated_tasks: [],
        completed_tasks: [{ task_id: { value: 'a' }, state: 'TASK_FINISHED' }],
      },
    });
    const state = await operator('GET_STATE');
    expect(state).toMatchObject({
      get_state: {
        get_tasks: { completed_tasks: [{ task_id: { value: 'a' } }] },
        get_executors: {
          executors: [{ executor_info: { name: 'tiny' } }],
          completed_executors: [],
        },
        get_frameworks: { completed_frameworks: [] },
      },
    });
  });

  it('answers what it can not do with 501', async () => {
    const gone = { mark_resource_provider_gone: { resource_provider_id: { value: 'x' } } };
    expect((await call('/api/v1', { type: 'MARK_RESOURCE_PROVIDER_GONE', ...gone })).status).toBe(
      501,
    );
  });

  it('counts in the names of Mesos', async () => {
    await startTasks();
    const answer = await world.agent.app.inject({ url: '/metrics/snapshot' });
    expect(answer.json()).toMatchObject({
      'slave/registered': 1,
      'slave/executors_running': 1,
      'slave/tasks_running': 2,
      'slave/valid_status_updates': 2,
      'slave/cpus_total': 8,
    });
  });
});
