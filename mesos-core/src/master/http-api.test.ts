import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT_API_PATH, decodeProtobuf, encodeProtobuf } from '../protocol/index.ts';
import { FRAMEWORK, launch, taskOn, World } from './testing/world.ts';

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});

afterEach(async () => {
  await world.close();
});

function post(url: string, payload: string | Buffer, type = 'application/json') {
  const headers = { 'content-type': type };
  return world.master.app.inject({ method: 'POST', url, headers, payload });
}

describe('bodies that are no good', () => {
  it.each(['/api/v1', '/api/v1/scheduler', AGENT_API_PATH])(
    'of 100 MB are refused at %s before they are read as anything',
    async (url) => {
      const { statusCode } = await post(url, Buffer.alloc(100 * 1024 * 1024, 32));
      expect(statusCode).toBe(413);
    },
  );

  it.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['a list', '[]'],
    ['no type', '{}'],
    ['an unknown type', '{"type":"EXPLODE"}'],
    ['a type of another kind', '{"type":7}'],
    ['no agent', '{"type":"HEARTBEAT"}'],
    ['no agent info', '{"type":"SUBSCRIBE","subscribe":{}}'],
    ['a status without a task', '{"type":"UPDATE","agent_id":"a","framework_id":"f","status":{}}'],
    [
      'an id that is a path',
      JSON.stringify({
        type: 'SUBSCRIBE',
        subscribe: {
          agent_info: { hostname: 'h', id: { value: '../../etc' } },
          version: '1.12.0',
          ...{ capabilities: [], total_resources: [], frameworks: [], executors: [], tasks: [] },
        },
      }),
    ],
  ])('with %s are a 400 in the agents’ API', async (_what, body) => {
    const { statusCode, headers, body: text } = await post(AGENT_API_PATH, body);
    expect(statusCode).toBe(400);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text).not.toBe('');
  });

  it.each(['/api/v1', '/api/v1/scheduler'])('of random bytes are a 400 at %s', async (url) => {
    for (let length = 1; length < 40; length += 1) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 89 + length) % 256));
      const { statusCode } = await post(url, bytes, 'application/x-protobuf');
      expect(statusCode).toBe(400);
    }
  });
});

describe('a framework', () => {
  it.each([
    [
      'that suppresses a role it does not have',
      { suppressed_roles: ['qa'] },
      {},
      'Suppressed roles { qa } are not contained in the set of roles',
    ],
    [
      'with a role twice',
      {},
      { roles: ['eng', 'eng'] },
      "'FrameworkInfo.roles' contains duplicate items: { eng }",
    ],
    [
      'with an id that is a path',
      {},
      { id: { value: 'a/b' } },
      "'a/b' contains invalid characters",
    ],
    [
      'with an endless failover timeout',
      {},
      { failover_timeout: 1e300 },
      'The framework failover_timeout (1e+300) is invalid',
    ],
  ])('%s is told so on its stream', async (_what, subscribe, info, message) => {
    const framework_info = { ...FRAMEWORK, ...info };
    const framework_id = framework_info.id;
    const call = { type: 'SUBSCRIBE', framework_id, subscribe: { framework_info, ...subscribe } };
    const { statusCode, body } = await post('/api/v1/scheduler', JSON.stringify(call));
    expect(statusCode).toBe(200);
    expect(JSON.parse(body.split('\n')[1] ?? '')).toEqual({ type: 'ERROR', error: { message } });
  });

  it('can not subscribe with a stream id', async () => {
    const { statusCode, body } = await world.master.app.inject({
      ...{ method: 'POST', url: '/api/v1/scheduler' },
      headers: { 'content-type': 'application/json', 'mesos-stream-id': 'x' },
      payload: JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info: FRAMEWORK } }),
    });
    expect(statusCode).toBe(400);
    expect(body).toBe("Subscribe calls should not include the 'Mesos-Stream-Id' header");
  });
});

describe('the operator API', () => {
  async function ask(type: string) {
    const { statusCode, body } = await post('/api/v1', JSON.stringify({ type }));
    expect(statusCode).toBe(200);
    return JSON.parse(body);
  }

  it('shows agents, frameworks, tasks and executors as Mesos does', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    const { get_state } = await ask('GET_STATE');
    expect(Object.keys(get_state).toSorted()).toEqual([
      ...['get_agents', 'get_executors', 'get_frameworks', 'get_tasks'],
    ]);
    const [agent] = get_state.get_agents.agents;
    expect(agent.agent_info).toMatchObject({ hostname: 'agent-1', checkpoint: true });
    expect(agent.total_resources[0]).toEqual({
      ...{ name: 'cpus', type: 'SCALAR', scalar: { value: 8 }, role: '*' },
    });
    expect(agent.allocated_resources[0]).toMatchObject({
      ...{ scalar: { value: 1.1 }, role: '*', allocation_info: { role: 'eng' } },
    });
    expect(agent.offered_resources[0].scalar.value).toBe(6.9);
    const [framework] = get_state.get_frameworks.frameworks;
    expect(framework).toMatchObject({ active: true, connected: true, recovered: false });
    expect(get_state.get_tasks.tasks).toMatchObject([
      { task_id: { value: 'a' }, state: 'TASK_RUNNING', executor_id: { value: 'executor-1' } },
    ]);
    expect(get_state.get_executors.executors).toMatchObject([
      { executor_info: { executor_id: { value: 'executor-1' } } },
    ]);
    expect((await ask('GET_AGENTS')).get_agents.agents[0].agent_info.checkpoint).toBe(true);
    const { roles } = (await ask('GET_ROLES')).get_roles;
    expect(roles).toMatchObject([
      {
        name: 'eng',
        resources: [
          { name: 'cpus', scalar: { value: 8 } },
          { name: 'mem', scalar: { value: 8192 } },
        ],
      },
    ]);
  });

  it('speaks protobuf too', async () => {
    await world.startAgent('agent-1');
    const call = Buffer.from(encodeProtobuf('master.Call', { type: 'GET_AGENTS' }));
    const { rawPayload } = await world.master.app.inject({
      ...{ method: 'POST', url: '/api/v1', payload: call },
      headers: { 'content-type': 'application/x-protobuf', accept: 'application/x-protobuf' },
    });
    expect(decodeProtobuf('master.Response', rawPayload)).toMatchObject({
      type: 'GET_AGENTS',
      get_agents: { agents: [{ agent_info: { hostname: 'agent-1' }, active: true }] },
    });
  });

  it('tears frameworks down, and gives agents up', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    const agent_id = scheduler.offer.agent_id;
    const gone = { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } };
    expect((await post('/api/v1', JSON.stringify(gone))).statusCode).toBe(200);
    await world.run(5000);
    expect(scheduler.updates('a').at(-1)).toBe(
      'TASK_GONE_BY_OPERATOR REASON_AGENT_REMOVED_BY_OPERATOR',
    );
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
    expect(agent.agent.agentId).not.toBe(agent_id.value);
    const teardown = { type: 'TEARDOWN', teardown: { framework_id: { value: scheduler.id } } };
    expect((await post('/api/v1', JSON.stringify(teardown))).statusCode).toBe(200);
    expect((await post('/api/v1', JSON.stringify(teardown))).statusCode).toBe(400);
  });

  it.each(['/teardown', '/master/teardown'])('tears down by a form at %s, too', async (url) => {
    const scheduler = await world.startScheduler('scheduler');
    const form = 'application/x-www-form-urlencoded';
    expect(await post(url, '', form)).toMatchObject({
      statusCode: 400,
      body: "Missing 'frameworkId' query parameter in the request body",
    });
    expect(await post(url, 'frameworkId=nobody', form)).toMatchObject({
      statusCode: 400,
      body: 'No framework found with specified ID',
    });
    expect((await post(url, `frameworkId=${scheduler.id}`, form)).statusCode).toBe(200);
    await world.run(100);
    const back = await world.startScheduler('back', { ...FRAMEWORK, id: { value: scheduler.id } });
    expect(back.failure).toMatchObject({ message: 'Framework has been removed' });
    expect((await world.master.app.inject({ method: 'GET', url })).statusCode).toBe(405);
  });
});
