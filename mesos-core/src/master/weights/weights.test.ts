import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Encoding,
  type MasterCall,
  scalarAmount,
  type WeightInfo,
} from '../../protocol/index.ts';
import { operatorAnswer, operatorCall } from '../testing/operator.ts';
import { endWorld } from '../testing/small-world.ts';
import { FRAMEWORK, type TestScheduler, World } from '../testing/world.ts';

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});

afterEach(() => endWorld(world));

const send = (call: MasterCall, encoding: Encoding = 'json') => operatorCall(world, call, encoding);

const ask = (call: MasterCall, encoding: Encoding = 'json') =>
  operatorAnswer(world, call, encoding);

const update = (...weight_infos: readonly WeightInfo[]): MasterCall => ({
  ...{ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos } },
});

const offeredCpus = (scheduler: TestScheduler): number => {
  const gone = new Set(scheduler.of('RESCIND').map(({ rescind }) => rescind.offer_id.value));
  return scheduler.offers
    .filter(({ id }) => !gone.has(id.value))
    .reduce((sum, { resources = [] }) => sum + scalarAmount(resources, 'cpus'), 0);
};

describe.each(['json', 'protobuf'] as const)("an operator's calls in %s", (encoding) => {
  it('set and show weights, which a new master still knows', async () => {
    expect(await ask({ type: 'GET_WEIGHTS' }, encoding)).toEqual({ type: 'GET_WEIGHTS' });
    const call = update({ role: ' ops ', weight: 0.5 }, { role: 'eng/a', weight: 2 });
    expect(await send(call, encoding)).toMatchObject({ statusCode: 200, body: '' });
    await send(update({ role: 'ops', weight: 3 }), encoding);
    await world.stopMaster();
    await world.startMaster();
    expect(await ask({ type: 'GET_WEIGHTS' }, encoding)).toEqual({
      type: 'GET_WEIGHTS',
      get_weights: {
        weight_infos: [
          { role: 'eng/a', weight: 2 },
          { role: 'ops', weight: 3 },
        ],
      },
    });
  });
});

describe('a weight', () => {
  it('decides how much a role is offered, and what is offered already is shared anew', async () => {
    const eng = await world.startScheduler('eng');
    const ops = await world.startScheduler('ops', { ...FRAMEWORK, roles: ['ops'] });
    for (const name of ['a', 'b', 'c', 'd']) await world.startAgent(name, 'cpus:4;mem:1024');
    await world.run(2000);
    expect([offeredCpus(eng), offeredCpus(ops)]).toEqual([8, 8]);
    await send(update({ role: 'ops', weight: 3 }));
    await world.run(2000);
    expect([offeredCpus(eng), offeredCpus(ops)]).toEqual([4, 12]);
  });

  it('that stays as it was, or is of a role that nobody has, takes nothing back', async () => {
    const eng = await world.startScheduler('eng');
    await world.startAgent('a');
    await send(update({ role: 'eng', weight: 1 }, { role: 'ops', weight: 3 }));
    expect(eng.of('RESCIND')).toEqual([]);
  });
});

describe('weights that can not be', () => {
  it.each([
    [
      { role: 'a//b', weight: 1 },
      " Invalid role 'a//b': Role 'a//b' contains two adjacent slashes",
    ],
    [{ role: 'eng', weight: 0 }, " for role 'eng': Invalid weight '0': Weights must be positive"],
    [{ role: 'eng', weight: -1 }, " for role 'eng': Invalid weight '-1': Weights must be positive"],
    [{ weight: 1 }, " Invalid role '': Empty role name is invalid"],
  ])('%j is 400, and nothing changes', async (info, why) => {
    const { statusCode, body } = await send(update({ role: 'ops', weight: 2 }, info));
    expect(statusCode).toBe(400);
    expect(body.replace('JSON:', 'JSON')).toBe(
      `Failed to validate update weights request JSON${why}`,
    );
    expect(await ask({ type: 'GET_WEIGHTS' })).toEqual({ type: 'GET_WEIGHTS' });
  });
});

describe('GET_ROLES', () => {
  it('shows weights, and roles without frameworks that have a weight, a quota or a reservation', async () => {
    await world.startScheduler('eng');
    const { agent } = await world.startAgent('a', 'cpus:4;mem:1024');
    await send(update({ role: 'eng', weight: 2 }, { role: 'ops/night', weight: 3 }));
    const quota_configs = [{ role: 'qa', limits: { cpus: { value: 1 } } }];
    await send({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } });
    const reservations = [{ type: 'DYNAMIC' as const, role: 'kept' }];
    const cpu = { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 1 }, reservations };
    await send({
      type: 'RESERVE_RESOURCES',
      reserve_resources: { agent_id: { value: agent.agentId ?? '' }, resources: [cpu] },
    });
    const answer = await ask({ type: 'GET_ROLES' });
    if (answer.type !== 'GET_ROLES') throw new Error('another answer');
    const roles = answer.get_roles.roles ?? [];
    expect(roles.map(({ name, weight }) => `${name}: ${weight}`)).toEqual([
      ...['eng: 2', 'kept: 1', 'ops: 1', 'ops/night: 3', 'qa: 1'],
    ]);
    expect(roles.map(({ frameworks = [] }) => frameworks.length)).toEqual([1, 0, 0, 0, 0]);
  });
});

describe.each(['', '/master'])('the older endpoint %s/weights', (prefix) => {
  const put = (payload: string) =>
    world.master.app.inject({
      ...{ method: 'PUT', url: `${prefix}/weights`, payload },
      headers: { 'content-type': 'application/json' },
    });
  const get = async () => {
    const { body } = await world.master.app.inject({ method: 'GET', url: `${prefix}/weights` });
    return JSON.parse(body);
  };

  it('sets and shows weights', async () => {
    expect(await get()).toEqual([]);
    expect(await put('[{"role":"ops","weight":2}]')).toMatchObject({ statusCode: 200, body: '' });
    expect(await get()).toEqual([{ role: 'ops', weight: 2 }]);
  });

  it('says what is wrong', async () => {
    expect(await put('[{')).toMatchObject({ statusCode: 400 });
    expect((await put('{}')).body).toBe(
      "Failed to parse update weights request JSON ('{}'): Expecting a JSON array",
    );
    const odd = await put('[{"role":"ops"}]');
    expect(odd.statusCode).toBe(400);
    expect(odd.body).toMatch(/^Failed to convert weights JSON array to protobuf/);
    const zero = await put('[{"role":"ops","weight":0}]');
    expect(zero.body).toMatch(/Invalid weight '0': Weights must be positive$/);
  });
});
