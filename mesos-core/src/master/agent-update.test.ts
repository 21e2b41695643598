import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  formatAttributes,
  formatResources,
  parseResources,
  type Resource,
  scalarQuantities,
  type TaskInfo,
} from '../protocol/index.ts';
import { FRAMEWORK, launch, type TestAgent, taskOn, World } from './testing/world.ts';

let world: World;
let agent: TestAgent;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
  agent = await world.startAgent('agent-1', 'cpus:8;mem:8192');
});

afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

async function change(body: unknown, method: 'PUT' | 'DELETE' = 'PUT') {
  const answer = agent.agent.app.inject({
    ...{ method, url: '/api/v1/agent_info' },
    headers: { 'content-type': 'application/json' },
    ...(method === 'PUT' ? { payload: JSON.stringify(body) } : {}),
  });
  await world.run(1500);
  const { statusCode, body: text } = await answer;
  return { statusCode, text };
}

async function startScheduler() {
  const scheduler = await world.startScheduler('scheduler');
  const rescinds = () => scheduler.of('RESCIND').map(({ rescind }) => rescind.offer_id.value);
  return { scheduler, rescinds };
}

describe('more resources', () => {
  it('are offered, and what is on offer stays true', async () => {
    const { scheduler, rescinds } = await startScheduler();
    expect((await change({ resources: 'cpus:12;mem:8192' })).statusCode).toBe(200);
    expect(rescinds()).toEqual([]);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 4 });
  });
});

describe('fewer resources', () => {
  it('take back the offer that holds them, and the rest is offered', async () => {
    const { scheduler, rescinds } = await startScheduler();
    const first = scheduler.offer.id.value;
    await change({ resources: 'cpus:3;mem:8192' });
    expect(rescinds()).toEqual([first]);
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 3, mem: 8192 });
  });

  it('than tasks use leave nothing to offer, and the tasks alone', async () => {
    const { scheduler } = await startScheduler();
    await world.call(
      scheduler,
      launch(scheduler.offer, taskOn(scheduler.offer, 'a', 'cpus:6;mem:128')),
    );
    await change({ resources: 'cpus:2;mem:2048' });
    const left = world.run(5000).then(() => scheduler.offer);
    expect(scalarQuantities((await left).resources ?? [])).toEqual({ mem: 2048 - 128 - 32 });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING');
    const seen = scheduler.offers.length;
    const kill = { type: 'KILL', kill: { task_id: { value: 'a' } } } as const;
    await world.call(scheduler, kill);
    await world.run(5000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_KILLED');
    const freed = scheduler.offers.slice(seen).map(({ resources = [] }) => resources);
    // The executor holds 0.1 still.
    expect(scalarQuantities(freed.flat())).toMatchObject({ cpus: 1.9 });
  });

  it('than tasks use survive the master', async () => {
    const { scheduler } = await startScheduler();
    await world.call(
      scheduler,
      launch(scheduler.offer, taskOn(scheduler.offer, 'a', 'cpus:6;mem:128')),
    );
    await change({ resources: 'cpus:2;mem:2048' });
    await world.stopMaster();
    await world.startMaster();
    await world.run(20_000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING');
    expect(scalarQuantities(scheduler.offer.resources ?? [])).not.toHaveProperty('cpus');
  });
});

describe('revocable resources', () => {
  const REVOCABLE: Resource = {
    ...{ name: 'cpus', type: 'SCALAR', scalar: { value: 4 }, revocable: {} },
  };

  async function lend() {
    const plain = parseResources('cpus:8;mem:8192');
    expect((await change({ resources: [...plain, REVOCABLE] })).statusCode).toBe(200);
  }

  it('are offered to frameworks that know of them, and run tasks', async () => {
    const capabilities = [
      ...(FRAMEWORK.capabilities ?? []),
      { type: 'REVOCABLE_RESOURCES' as const },
    ];
    const scheduler = await world.startScheduler('scheduler', { ...FRAMEWORK, capabilities });
    await lend();
    expect(formatResources(scheduler.offer.resources ?? [])).toBe('cpus(allocated: eng){REV}:4');
    const task: TaskInfo = {
      ...{ name: 'a', task_id: { value: 'a' }, agent_id: scheduler.offer.agent_id },
      command: { value: 'sleep 1' },
      resources: [{ ...REVOCABLE, scalar: { value: 3 } }],
    };
    await world.call(scheduler, launch(scheduler.offer, task));
    await world.run(1000);
    expect(scheduler.updates('a')).toContain('TASK_RUNNING');
  });

  it('are not offered to others', async () => {
    const { scheduler } = await startScheduler();
    const before = scheduler.offers.length;
    await lend();
    expect(scheduler.offers).toHaveLength(before);
  });

  it('are no part of the flag', () => {
    expect(() => parseResources(JSON.stringify([REVOCABLE]))).toThrow('Revocable resources');
  });
});

describe('attributes', () => {
  it('take back all offers of the agent: they carry the old ones', async () => {
    const { scheduler, rescinds } = await startScheduler();
    const first = scheduler.offer.id.value;
    await change({ attributes: 'rack:r2;ssd:true' });
    expect(rescinds()).toEqual([first]);
    expect(formatAttributes(scheduler.offer.attributes ?? [])).toBe('rack:r2;ssd:true');
    expect(formatResources(scheduler.offer.resources ?? [])).toContain('cpus(allocated: eng):8');
  });

  it('that are the same change nothing', async () => {
    const { rescinds } = await startScheduler();
    await change({ attributes: 'rack:r1' });
    expect(rescinds()).toEqual([]);
  });
});

describe('a change', () => {
  it('outlives the agent, and DELETE goes back to the flags', async () => {
    await change({ resources: 'cpus:3;mem:1024', attributes: 'rack:r7' });
    await agent.crash();
    await agent.restart();
    const { scheduler } = await startScheduler();
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 3, mem: 1024 });
    expect(formatAttributes(scheduler.offer.attributes ?? [])).toBe('rack:r7');
    await change(undefined, 'DELETE');
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 8, mem: 8192 });
    expect(formatAttributes(scheduler.offer.attributes ?? [])).toBe('rack:r1');
  });

  it('made while no master is there is told to the next', async () => {
    await world.stopMaster();
    expect((await change({ resources: 'cpus:5;mem:1024' })).statusCode).toBe(200);
    await world.startMaster();
    await world.run(30_000);
    const { scheduler } = await startScheduler();
    expect(scalarQuantities(scheduler.offer.resources ?? [])).toEqual({ cpus: 5, mem: 1024 });
  });

  it('can not take away what is reserved', async () => {
    const { scheduler } = await startScheduler();
    const resources: Resource[] = [
      {
        ...{ name: 'cpus', type: 'SCALAR', scalar: { value: 6 }, allocation_info: { role: 'eng' } },
        reservations: [{ type: 'DYNAMIC', role: 'eng' }],
      },
    ];
    await world.call(scheduler, {
      type: 'ACCEPT',
      accept: {
        offer_ids: [scheduler.offer.id],
        operations: [{ type: 'RESERVE', reserve: { resources } }],
        filters: { refuse_seconds: 0 },
      },
    });
    const { statusCode, text } = await change({ resources: 'cpus:5;mem:1024' });
    expect(statusCode).toBe(409);
    expect(text).toContain('Incompatible agent resources');
    expect((await change({ resources: 'cpus:7;mem:1024' })).statusCode).toBe(200);
  });

  it.each([
    ['no JSON', '{', 400],
    ['a spelling mistake', '{"resource":"cpus:1"}', 400],
    ['no resources', '{"resources":"cpus=1"}', 400],
    [
      'a volume',
      '{"resources":[{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"persistence":{"id":"v"}}}]}',
      400,
    ],
    ['attributes of a wrong kind', '{"attributes":7}', 400],
    ['an attribute without a value', '{"attributes":"rack"}', 400],
  ])('with %s is refused', async (_what, payload, status) => {
    const { statusCode, body } = await agent.agent.app.inject({
      ...{ method: 'PUT', url: '/api/v1/agent_info', payload },
      headers: { 'content-type': 'application/json' },
    });
    expect(statusCode).toBe(status);
    expect(body).not.toBe('');
  });

  it('can be read', async () => {
    await change({ attributes: 'rack:r3' });
    const { body } = await agent.agent.app.inject('/api/v1/agent_info');
    expect(JSON.parse(body)).toMatchObject({
      resources: [{ name: 'cpus', scalar: { value: 8 } }, { name: 'mem' }],
      attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'r3' } }],
    });
  });
});
