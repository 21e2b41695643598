import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SchedulerClientCall } from '../../client/index.ts';
import {
  type Encoding,
  formatResources,
  type Offer,
  type OfferOperation,
  type OperationStatus,
  parseResources,
  type Resource,
  type Resources,
  unallocateResources,
} from '../../protocol/index.ts';
import { operatorCall } from '../testing/operator.ts';
import { endWorld, startSmallWorld } from '../testing/small-world.ts';
import {
  FRAMEWORK,
  type TestAgent,
  type TestScheduler,
  taskOn,
  type World,
} from '../testing/world.ts';

let world: World;
let agent: TestAgent;
let scheduler: TestScheduler;
const OPS = { ...FRAMEWORK, principal: 'ops' };

async function begin(encoding: Encoding): Promise<void> {
  const resources = 'cpus:8;mem:8192;disk:1000';
  ({ world, agent, scheduler } = await startSmallWorld({ resources, framework: OPS, encoding }));
}

beforeEach(() => begin('json'));

afterEach(() => endWorld(world));

function reserved(text: string, principal = 'ops', role = 'eng'): Resources {
  const reservations = [{ type: 'DYNAMIC' as const, role, principal }];
  return parseResources(text).map((resource) => ({ ...resource, reservations }));
}

function volume(id: string, megabytes: number): Resource {
  const [disk] = reserved(`disk:${megabytes}`);
  if (disk === undefined) throw new Error('no disk');
  const persistence = { id, principal: 'ops' };
  return { ...disk, disk: { persistence, volume: { container_path: 'data', mode: 'RW' } } };
}

const reserve = (id: string, resources: Resources): OfferOperation => ({
  id: { value: id },
  type: 'RESERVE',
  reserve: { resources },
});
const unreserve = (id: string, resources: Resources): OfferOperation => ({
  id: { value: id },
  type: 'UNRESERVE',
  unreserve: { resources },
});
const create = (id: string, ...volumes: readonly Resource[]): OfferOperation => ({
  id: { value: id },
  type: 'CREATE',
  create: { volumes },
});
const destroy = (id: string, ...volumes: readonly Resource[]): OfferOperation => ({
  id: { value: id },
  type: 'DESTROY',
  destroy: { volumes },
});

function accept(offer: Offer, ...operations: readonly OfferOperation[]): SchedulerClientCall {
  const filters = { refuse_seconds: 0 };
  return { type: 'ACCEPT', accept: { offer_ids: [offer.id], operations, filters } };
}

async function carryOut(...operations: readonly OfferOperation[]): Promise<void> {
  await world.call(scheduler, accept(scheduler.offer, ...operations));
  await world.run(1100);
}

function statuses(id: string): readonly OperationStatus[] {
  return scheduler
    .of('UPDATE_OPERATION_STATUS')
    .map(({ update_operation_status }) => update_operation_status.status)
    .filter(({ operation_id }) => operation_id?.value === id);
}

const states = (id: string): readonly string[] => statuses(id).map(({ state }) => state);

async function acknowledge(id: string): Promise<void> {
  const status = statuses(id).at(-1);
  await world.call(scheduler, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      operation_id: { value: id },
      uuid: status?.uuid?.value ?? '',
      ...(status?.agent_id === undefined ? {} : { agent_id: status.agent_id }),
    },
  });
}

const offered = (): string => formatResources(unallocateResources(scheduler.offer.resources ?? []));

describe('what a framework may make of its offers', () => {
  it('reserves, and is offered what it reserved', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    expect(states('r1')).toEqual(['OPERATION_FINISHED']);
    expect(offered()).toContain('cpus(reservations: [(DYNAMIC,eng,ops)]):2');
    expect(offered()).toContain('cpus:6');
    await acknowledge('r1');
  });

  it('gives reservations back', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    await carryOut(unreserve('u1', reserved('cpus:2')));
    expect(states('u1')).toEqual(['OPERATION_FINISHED']);
    expect(offered()).not.toContain('DYNAMIC');
  });

  it('makes volumes of what it just reserved, and launches on them in the same call', async () => {
    const { offer } = scheduler;
    const task = {
      ...taskOn(offer, 'task-1'),
      resources: [...parseResources('cpus:1'), volume('v1', 100)],
    };
    await carryOut(reserve('r1', reserved('disk:100')), create('c1', volume('v1', 100)), {
      type: 'LAUNCH',
      launch: { task_infos: [task] },
    });
    expect(scheduler.updates('task-1')).toContain('TASK_RUNNING');
    expect([...agent.volumes.paths]).toEqual(['/work/volumes/roles/eng/v1']);
    expect([...agent.volumes.links.values()]).toEqual(['/work/volumes/roles/eng/v1']);
  });

  it('grows, shrinks and destroys volumes', async () => {
    await carryOut(reserve('r1', reserved('disk:150')), create('c1', volume('v1', 100)));
    const [addition] = reserved('disk:50');
    if (addition === undefined) throw new Error('no disk');
    await carryOut({ type: 'GROW_VOLUME', grow_volume: { volume: volume('v1', 100), addition } });
    expect(offered()).toContain('[v1:data]:150');
    await carryOut({
      type: 'SHRINK_VOLUME',
      shrink_volume: { volume: volume('v1', 150), subtract: { value: 30 } },
    });
    expect(offered()).toContain('[v1:data]:120');
    await carryOut(destroy('d1', volume('v1', 120)));
    expect(states('d1')).toEqual(['OPERATION_FINISHED']);
    expect(offered()).not.toContain('v1');
    expect(offered()).toContain('disk(reservations: [(DYNAMIC,eng,ops)]):150');
    expect([...agent.volumes.paths]).toEqual([]);
  });

  it('is refused what is not in order, with the reason, and keeps its resources', async () => {
    await carryOut(
      reserve('wrong principal', reserved('cpus:1', 'other')),
      reserve('wrong role', reserved('cpus:1', 'ops', 'qa')),
      reserve('too much', reserved('cpus:100')),
      create('no disk reserved', volume('v1', 10)),
    );
    for (const id of ['wrong principal', 'wrong role', 'too much', 'no disk reserved']) {
      expect(states(id)).toEqual(['OPERATION_ERROR']);
    }
    expect(statuses('wrong principal')[0]?.message).toMatch(
      /^A reserve operation was attempted by authenticated principal 'ops', which does not match/,
    );
    expect(statuses('too much')[0]?.message).toMatch(
      /does not contain cpus\(allocated: eng\):100$/,
    );
    expect(offered()).toBe('cpus:8; mem:8192; disk:1000');
  });
});

describe('operation feedback', () => {
  it('comes again until it is acknowledged', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    await world.run(10_000);
    expect(states('r1').length).toBeGreaterThan(1);
    expect(new Set(statuses('r1').map(({ uuid }) => uuid?.value)).size).toBe(1);
    await acknowledge('r1');
    const before = states('r1').length;
    await world.run(120_000);
    expect(states('r1')).toHaveLength(before);
  });

  it('survives the master and the agent', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    await world.stopMaster();
    await agent.crash();
    await world.startMaster();
    await agent.restart();
    await world.run(20_000);
    const before = states('r1').length;
    await world.run(60_000);
    expect(states('r1').length).toBeGreaterThan(before);
    await acknowledge('r1');
    expect(offered()).toContain('cpus(reservations: [(DYNAMIC,eng,ops)]):2');
  });

  it('is asked for', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    const before = states('r1').length;
    const ask = (id: string, agentId?: string) => ({
      operation_id: { value: id },
      ...(agentId === undefined ? {} : { agent_id: { value: agentId } }),
    });
    const operations = [ask('r1'), ask('r2', agent.agent.agentId), ask('r3', 'S9'), ask('r4')];
    await world.call(scheduler, {
      type: 'RECONCILE_OPERATIONS',
      reconcile_operations: { operations },
    });
    expect(states('r1')).toHaveLength(before + 1);
    expect(states('r1').at(-1)).toBe('OPERATION_FINISHED');
    for (const id of ['r2', 'r3', 'r4']) expect(states(id)).toEqual(['OPERATION_UNKNOWN']);
  });

  it('says that the agent is unreachable', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    const agentId = agent.agent.agentId ?? '';
    await agent.crash();
    await world.run(120_000);
    expect(states('r1').at(-1)).toBe('OPERATION_UNREACHABLE');
    await world.call(scheduler, {
      type: 'RECONCILE_OPERATIONS',
      reconcile_operations: {
        operations: [{ operation_id: { value: 'r1' }, agent_id: { value: agentId } }],
      },
    });
    expect(states('r1').slice(-2)).toEqual(['OPERATION_UNREACHABLE', 'OPERATION_UNREACHABLE']);
    await agent.restart();
    await world.run(5000);
    expect(states('r1').at(-1)).toBe('OPERATION_FINISHED');
  });
});

describe('a shared volume', () => {
  const shared = { ...volume('v1', 100), shared: {} };
  const capable = {
    ...OPS,
    capabilities: [...(FRAMEWORK.capabilities ?? []), { type: 'SHARED_RESOURCES' as const }],
  };
  const taskWith = (id: string) => {
    const task = taskOn(scheduler.offer, id, 'cpus:1');
    return { ...task, resources: [...(task.resources ?? []), shared] };
  };

  it('is for frameworks that know of shared resources', async () => {
    await carryOut(reserve('r1', reserved('disk:100')), create('c1', shared));
    expect(statuses('c1')[0]?.message).toMatch(/with no SHARED_RESOURCES capability/);
  });

  it('is used by several tasks at once, counts once, and can not be destroyed meanwhile', async () => {
    await scheduler.client.stop();
    scheduler = await world.startScheduler('capable', capable);
    await carryOut(reserve('r1', reserved('disk:100')), create('c1', shared));
    const tasks = [taskWith('a'), taskWith('b')];
    await carryOut({ type: 'LAUNCH', launch: { task_infos: tasks } });
    expect(scheduler.updates('a')).toContain('TASK_RUNNING');
    expect(scheduler.updates('b')).toContain('TASK_RUNNING');
    expect(offered()).toContain('[v1:data]<SHARED>:100');
    expect(world.master.invariants()).toEqual([]);
    await carryOut({ type: 'LAUNCH', launch: { task_infos: [taskWith('c')] } });
    expect(scheduler.updates('c')).toContain('TASK_RUNNING');
    await carryOut(destroy('d1', shared));
    expect(statuses('d1')[0]?.message).toMatch(/^Persistent volumes in use/);
    for (const value of ['a', 'b', 'c']) {
      await world.call(scheduler, { type: 'KILL', kill: { task_id: { value } } });
    }
    await world.run(1100);
    await carryOut(destroy('d2', shared));
    expect(states('d2')).toEqual(['OPERATION_FINISHED']);
  });
});

describe('reconciliation of an operation that the master does not know', () => {
  const ask = async (agent_id: string): Promise<OperationStatus | undefined> => {
    const operation = { operation_id: { value: 'r9' }, agent_id: { value: agent_id } };
    const reconcile_operations = { operations: [operation] };
    await world.call(scheduler, { type: 'RECONCILE_OPERATIONS', reconcile_operations });
    return statuses('r9').at(-1);
  };

  it('waits for an agent that is to come back after a failover of the master', async () => {
    const agentId = agent.agent.agentId ?? '';
    await agent.crash();
    await world.stopMaster();
    await world.startMaster();
    await world.run(20_000);
    expect(await ask(agentId)).toMatchObject({
      state: 'OPERATION_RECOVERING',
      message: 'Reconciliation: Agent is recovered but has not re-registered',
    });
  });

  it('says that the agent was marked as gone, and so do its operations', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    const agentId = agent.agent.agentId ?? '';
    const mark_agent_gone = { agent_id: { value: agentId } };
    await operatorCall(world, { type: 'MARK_AGENT_GONE', mark_agent_gone });
    await world.run(1000);
    expect(states('r1').at(-1)).toBe('OPERATION_GONE_BY_OPERATOR');
    expect(await ask(agentId)).toMatchObject({ state: 'OPERATION_GONE_BY_OPERATOR' });
    // It comes back as another agent, with what was reserved of it.
    await world.run(20_000);
    expect(agent.agent.agentId).not.toBe(agentId);
    expect(offered()).toContain('cpus(reservations: [(DYNAMIC,eng,ops)]):2');
  });
});

describe('a task that names a volume twice', () => {
  it('is TASK_ERROR', async () => {
    await carryOut(reserve('r1', reserved('disk:100')), create('c1', volume('v1', 100)));
    const resources = [...parseResources('cpus:1'), volume('v1', 100), volume('v1', 100)];
    const task = { ...taskOn(scheduler.offer, 'a'), resources };
    await carryOut({ type: 'LAUNCH', launch: { task_infos: [task] } });
    expect(scheduler.statuses('a')[0]).toMatchObject({
      state: 'TASK_ERROR',
      message: "Task uses duplicate persistence ID: Persistence ID 'v1' is not unique",
    });
  });
});

describe('an ACCEPT that arrives twice', () => {
  it('does not call an operation wrong that was carried out', async () => {
    const call = accept(scheduler.offer, reserve('r1', reserved('cpus:2')));
    await world.call(scheduler, call);
    await world.call(scheduler, call);
    expect(states('r1')).not.toContain('OPERATION_ERROR');
  });
});

describe('a framework that speaks protobuf', () => {
  it('has its operations carried out, told, acknowledged and reconciled', async () => {
    await endWorld(world);
    await begin('protobuf');
    await carryOut(reserve('r1', reserved('disk:100')), create('c1', volume('v1', 100)));
    expect(states('r1')).toEqual(['OPERATION_FINISHED']);
    await acknowledge('r1');
    await carryOut(destroy('d1', volume('v1', 100)), unreserve('u1', reserved('disk:100')));
    expect(offered()).toBe('cpus:8; mem:8192; disk:1000');
    await world.call(scheduler, { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} });
    for (const id of ['c1', 'd1', 'u1']) {
      expect(states(id).length).toBeGreaterThan(1);
      expect(new Set(states(id))).toEqual(new Set(['OPERATION_FINISHED']));
    }
    expect(states('r1')).toEqual(['OPERATION_FINISHED']);
  });
});

describe('a framework from before refined reservations', () => {
  it('reserves in its own form, and is offered it in that form', async () => {
    const old = { ...OPS, capabilities: [], roles: [], role: 'eng' };
    await scheduler.client.stop();
    scheduler = await world.startScheduler('old', old);
    const [cpus] = parseResources('cpus:2');
    if (cpus === undefined) throw new Error('no cpus');
    await carryOut(reserve('r1', [{ ...cpus, role: 'eng', reservation: { principal: 'ops' } }]));
    expect(states('r1')).toEqual(['OPERATION_FINISHED']);
    const own = scheduler.offer.resources?.find(({ role }) => role === 'eng');
    expect(own).toMatchObject({ scalar: { value: 2 }, reservation: { principal: 'ops' } });
    expect(own?.reservations).toBeUndefined();
  });
});

describe('a refined reservation', () => {
  it('is made on top of a static one, and taken off again', async () => {
    await scheduler.client.stop();
    await world.startAgent('agent-2', 'cpus(eng):4;mem:64');
    const refined = { ...OPS, roles: ['eng/ui'] };
    const ui = await world.startScheduler('ui', refined);
    scheduler = ui;
    const [cpus] = parseResources('cpus:4');
    if (cpus === undefined) throw new Error('no cpus');
    const reservations = [
      { type: 'STATIC' as const, role: 'eng' },
      { type: 'DYNAMIC' as const, role: 'eng/ui', principal: 'ops' },
    ];
    await world.run(6000);
    const mine = ui.offers.find(({ hostname }) => hostname === 'agent-2');
    if (mine === undefined) throw new Error('no offer');
    await world.call(ui, accept(mine, reserve('r1', [{ ...cpus, reservations }])));
    await world.run(1100);
    expect(states('r1')).toEqual(['OPERATION_FINISHED']);
    expect(offered()).toContain('cpus(reservations: [(STATIC,eng),(DYNAMIC,eng/ui,ops)]):4');
    await carryOut(unreserve('u1', [{ ...cpus, reservations }]));
    expect(offered()).toContain('cpus(reservations: [(STATIC,eng)]):4');
  });
});

describe('operations of a framework that was removed', () => {
  it('are forgotten: nobody will acknowledge them', async () => {
    await carryOut(reserve('r1', reserved('cpus:2')));
    await world.call(scheduler, { type: 'TEARDOWN' });
    await world.run(10_000);
    const response = await operatorCall(world, { type: 'GET_OPERATIONS' });
    expect(response.json().get_operations).toEqual({});
  });
});
