import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Encoding,
  formatResources,
  type MasterCall,
  parseResources,
  type Resource,
  type Resources,
  unallocateResources,
} from '../../protocol/index.ts';
import { operatorAnswer, operatorCall } from '../testing/operator.ts';
import { endWorld, startSmallWorld } from '../testing/small-world.ts';
import {
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  type World,
} from '../testing/world.ts';

let world: World;
let agent: TestAgent;
let agentId: string;
let scheduler: TestScheduler;

beforeEach(async () => {
  const resources = 'cpus:8;mem:8192;disk:1000';
  ({ world, agent, agentId, scheduler } = await startSmallWorld({ resources }));
});

afterEach(() => endWorld(world));

const reserved = (text: string, role = 'eng'): Resources =>
  parseResources(text).map((each) => ({ ...each, reservations: [{ type: 'DYNAMIC', role }] }));

function volume(id: string, megabytes: number): Resource {
  const [disk] = reserved(`disk:${megabytes}`);
  if (disk === undefined) throw new Error('no disk');
  const persistence = { id };
  return { ...disk, disk: { persistence, volume: { container_path: 'data', mode: 'RW' } } };
}

const send = (call: MasterCall, encoding: Encoding = 'json') => operatorCall(world, call, encoding);

async function post(url: string, form: Readonly<Record<string, string>>) {
  const response = await world.master.app.inject({
    ...{ method: 'POST', url, payload: new URLSearchParams(form).toString() },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  await world.run(100);
  return response;
}

const at = () => ({ agent_id: { value: agentId } });
const offered = (): string => formatResources(unallocateResources(scheduler.offer.resources ?? []));

describe.each(['json', 'protobuf'] as const)("an operator's calls in %s", (encoding) => {
  it('reserve and unreserve', async () => {
    const reserve_resources = { ...at(), resources: reserved('cpus:3') };
    const accepted = await send({ type: 'RESERVE_RESOURCES', reserve_resources }, encoding);
    expect(accepted).toMatchObject({ statusCode: 202, body: '' });
    expect(scheduler.of('RESCIND')).toHaveLength(1);
    expect(offered()).toContain('cpus(reservations: [(DYNAMIC,eng)]):3');
    const call = { type: 'UNRESERVE_RESOURCES', unreserve_resources: reserve_resources } as const;
    expect(await send(call, encoding)).toMatchObject({ statusCode: 202 });
    expect(offered()).toBe('cpus:8; mem:8192; disk:1000');
  });

  it('make, grow, shrink and destroy volumes', async () => {
    const resources = reserved('disk:200');
    await send({ type: 'RESERVE_RESOURCES', reserve_resources: { ...at(), resources } }, encoding);
    const calls: readonly MasterCall[] = [
      { type: 'CREATE_VOLUMES', create_volumes: { ...at(), volumes: [volume('v1', 100)] } },
      {
        type: 'GROW_VOLUME',
        grow_volume: {
          ...{ ...at(), volume: volume('v1', 100) },
          addition: { ...volume('v1', 50), disk: undefined },
        },
      },
      {
        type: 'SHRINK_VOLUME',
        shrink_volume: { ...at(), volume: volume('v1', 150), subtract: { value: 30 } },
      },
    ];
    for (const call of calls) expect((await send(call, encoding)).statusCode).toBe(202);
    expect(offered()).toContain('[v1:data]:120');
    expect([...agent.volumes.paths]).toEqual(['/work/volumes/roles/eng/v1']);
    const destroy_volumes = { ...at(), volumes: [volume('v1', 120)] };
    const destroyed = await send({ type: 'DESTROY_VOLUMES', destroy_volumes }, encoding);
    expect(destroyed.statusCode).toBe(202);
    expect(agent.volumes.paths.size).toBe(0);
  });

  it('ask what is under way', async () => {
    const resources = reserved('cpus:3');
    world.network.cut(agent.origin, 'http://master:5050');
    await send({ type: 'RESERVE_RESOURCES', reserve_resources: { ...at(), resources } }, encoding);
    const response = await operatorAnswer(world, { type: 'GET_OPERATIONS' }, encoding);
    expect(response).toMatchObject({
      type: 'GET_OPERATIONS',
      get_operations: { operations: [{ agent_id: { value: agentId }, info: { type: 'RESERVE' } }] },
    });
    world.network.heal();
  });
});

describe('calls that can not be', () => {
  it('of an unknown agent are 400', async () => {
    const reserve_resources = { agent_id: { value: 'S9' }, resources: reserved('cpus:3') };
    expect(await send({ type: 'RESERVE_RESOURCES', reserve_resources })).toMatchObject({
      statusCode: 400,
      body: 'No agent found with specified ID',
    });
  });

  it('of what is not reserved are 400', async () => {
    const reserve_resources = { ...at(), resources: parseResources('cpus:3') };
    const { statusCode, body } = await send({ type: 'RESERVE_RESOURCES', reserve_resources });
    expect(statusCode).toBe(400);
    expect(body).toMatch(
      /^Invalid RESERVE operation on agent .*cpus:3 is not dynamically reserved$/,
    );
  });

  it('of what tasks use are 409, and offers that would not help stay', async () => {
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a', 'cpus:6')));
    await world.run(1100);
    const reserve_resources = { ...at(), resources: reserved('cpus:3') };
    const answer = await send({ type: 'RESERVE_RESOURCES', reserve_resources });
    expect(answer.statusCode).toBe(409);
    expect(answer.body).toBe('cpus:1.9; mem:8160; disk:1000 does not contain cpus:3');
  });

  it('destroying a volume in use is 400', async () => {
    const resources = reserved('disk:200');
    await send({ type: 'RESERVE_RESOURCES', reserve_resources: { ...at(), resources } });
    const volumes = [volume('v1', 200)];
    await send({ type: 'CREATE_VOLUMES', create_volumes: { ...at(), volumes } });
    await world.run(1100);
    const task = taskOn(scheduler.offer, 'a', 'cpus:1');
    const withVolume = { ...task, resources: [...(task.resources ?? []), ...volumes] };
    await world.call(scheduler, launch(scheduler.offer, withVolume));
    const { statusCode, body } = await send({
      type: 'DESTROY_VOLUMES',
      destroy_volumes: { ...at(), volumes },
    });
    expect(statusCode).toBe(400);
    expect(body).toMatch(/Persistent volumes in use$/);
  });
});

describe('the older endpoints', () => {
  it.each(['', '/master'])('%s/reserve and its relatives take forms', async (prefix) => {
    const legacy = [{ name: 'disk', type: 'SCALAR', scalar: { value: 64 }, role: 'eng' }];
    const resources = JSON.stringify(legacy.map((each) => ({ ...each, reservation: {} })));
    const volumes = JSON.stringify([volume('v1', 64)]);
    const slaveId = agentId;
    expect((await post(`${prefix}/reserve`, { slaveId, resources })).statusCode).toBe(202);
    expect((await post(`${prefix}/create-volumes`, { slaveId, volumes })).statusCode).toBe(202);
    expect(offered()).toContain('[v1:data]:64');
    expect((await post(`${prefix}/destroy-volumes`, { slaveId, volumes })).statusCode).toBe(202);
    expect((await post(`${prefix}/unreserve`, { slaveId, resources })).statusCode).toBe(202);
    expect(offered()).toBe('cpus:8; mem:8192; disk:1000');
  });

  it('say what is missing', async () => {
    const missing = await post('/reserve', { slaveId: agentId });
    expect(missing.statusCode).toBe(400);
    expect(missing.body).toBe("Missing 'resources' query parameter in the request body");
    const wrong = await post('/reserve', { slaveId: agentId, resources: '{' });
    expect(wrong.body).toMatch(/^Error in parsing 'resources' query parameter/);
  });
});
