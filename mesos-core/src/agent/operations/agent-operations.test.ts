import { afterEach, describe, expect, it } from 'vitest';
import {
  formatResources,
  type Operation,
  parseResources,
  type Resource,
} from '../../protocol/index.ts';
import type { LaunchRequest } from '../containerizer/containerizer.ts';
import { FRAMEWORK, runTasks, tinyExecutor } from '../testing/scenario.ts';
import { startScriptedCommand } from '../testing/scripted-command.ts';
import { createWorld, type SimulatedWorld } from '../testing/simulated-world.ts';
import { createMemoryVolumes, VolumeError } from './volume-directories.ts';

const PATH = '/work/volumes/roles/eng/v1';
const DISK: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 100 },
  reservations: [{ type: 'DYNAMIC', role: 'eng' }],
};
const VOLUME: Resource = {
  ...DISK,
  disk: { persistence: { id: 'v1' }, volume: { container_path: 'data', mode: 'RW' } },
};
const RESOURCES = parseResources('cpus:8;disk:1000');
const RESERVED = 'cpus:8; disk:900; disk(reservations: [(DYNAMIC,eng)]):100';
const WITH_VOLUME = 'cpus:8; disk:900; disk(reservations: [(DYNAMIC,eng)])[v1:data]:100';

let world: SimulatedWorld;

afterEach(() => world.close());

function operation(name: string, info: Operation['info']): Operation {
  return {
    framework_id: { value: 'f1' },
    agent_id: { value: 'agent-1' },
    info: { ...info, id: { value: name } },
    latest_status: { operation_id: { value: name }, state: 'OPERATION_PENDING' },
    uuid: { value: Buffer.from(name.padEnd(16)).toString('base64') },
  };
}

const RESERVE = operation('reserve', { type: 'RESERVE', reserve: { resources: [DISK] } });
const CREATE = operation('create', { type: 'CREATE', create: { volumes: [VOLUME] } });
const DESTROY = operation('destroy', { type: 'DESTROY', destroy: { volumes: [VOLUME] } });

async function apply(...operations: readonly Operation[]): Promise<void> {
  for (const each of operations) world.master.send({ type: 'APPLY_OPERATION', operation: each });
  await world.clock.run(100);
}

/** What the agent says of each operation, each word once. */
function told(): readonly string[] {
  const words = world.master.calls.flatMap((call) =>
    call.type === 'UPDATE_OPERATION'
      ? [`${call.status.operation_id?.value} ${call.status.state}`]
      : [],
  );
  return [...new Set(words)];
}

async function subscribeAgain(): Promise<{ total: string; operations: readonly string[] }> {
  world.master.cut();
  await world.clock.run(3000);
  const { total_resources = [], operations = [] } = world.master.subscriptions.at(-1) ?? {};
  return {
    total: formatResources(total_resources),
    operations: operations.map(({ info }) => info.id?.value ?? ''),
  };
}

describe('operations on an agent', () => {
  it('change its total, and are told until they are acknowledged', async () => {
    world = await createWorld({ resources: RESOURCES });
    world.master.acknowledgesOperations = false;
    await apply(RESERVE, CREATE);
    expect([...world.volumes.paths]).toEqual([PATH]);
    await world.clock.run(10_000);
    expect(told()).toEqual(['reserve OPERATION_FINISHED', 'create OPERATION_FINISHED']);
    expect(
      world.master.calls.filter(({ type }) => type === 'UPDATE_OPERATION').length,
    ).toBeGreaterThan(2);
    expect(await subscribeAgain()).toEqual({
      total: WITH_VOLUME,
      operations: ['reserve', 'create'],
    });
    world.master.acknowledgesOperations = true;
    await world.clock.run(60_000);
    expect(await subscribeAgain()).toEqual({ total: WITH_VOLUME, operations: [] });
  });

  it('that arrive twice are carried out once', async () => {
    world = await createWorld({ resources: RESOURCES });
    world.master.acknowledgesOperations = false;
    await apply(RESERVE, RESERVE);
    expect((await subscribeAgain()).total).toBe(RESERVED);
  });

  it('that do not fit what the agent has are dropped, and the master hears what it has', async () => {
    world = await createWorld({ resources: RESOURCES });
    const subscriptions = world.master.subscriptions.length;
    await apply(CREATE);
    await world.clock.run(3000);
    expect(told()).toEqual(['create OPERATION_DROPPED']);
    expect(world.master.subscriptions.length).toBeGreaterThan(subscriptions);
    expect(world.volumes.paths.size).toBe(0);
  });

  it('that fail are undone', async () => {
    const volumes = createMemoryVolumes('/work');
    const create = () => Promise.reject(new VolumeError('the disk is full'));
    world = await createWorld({ resources: RESOURCES, volumes: { ...volumes, create } });
    await apply(RESERVE, CREATE);
    await world.clock.run(3000);
    expect(told()).toEqual(['reserve OPERATION_FINISHED', 'create OPERATION_FAILED']);
    expect((await subscribeAgain()).total).toBe(RESERVED);
  });

  it('never take a volume from a task', async () => {
    world = await createWorld({ resources: RESOURCES });
    await apply(RESERVE, CREATE);
    const executor = tinyExecutor();
    const launch = runTasks(executor, 'a');
    const tasks = launch.tasks.map((task) => ({ ...task, resources: [VOLUME] }));
    world.master.send({ ...launch, tasks });
    await world.clock.run(1000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING']);
    expect([...world.volumes.links.values()]).toEqual([PATH]);
    await apply(DESTROY);
    expect(told()).toContain('destroy OPERATION_DROPPED');
    expect([...world.volumes.paths]).toEqual([PATH]);
    world.executors[0]?.update('a', 'TASK_FINISHED');
    await world.clock.run(1000);
    expect(world.volumes.links.size).toBe(0);
    await apply({
      ...DESTROY,
      uuid: { value: Buffer.from('again'.padEnd(16)).toString('base64') },
    });
    expect(told()).toContain('destroy OPERATION_FINISHED');
  });

  it('are shown to operators', async () => {
    world = await createWorld({ resources: RESOURCES });
    world.master.acknowledgesOperations = false;
    await apply(RESERVE);
    const response = await world.agent.app.inject({
      ...{ method: 'POST', url: '/api/v1', payload: { type: 'GET_OPERATIONS' } },
      headers: { 'content-type': 'application/json' },
    });
    expect(response.json().get_operations.operations).toMatchObject([
      { info: { type: 'RESERVE' }, latest_status: { state: 'OPERATION_FINISHED' } },
    ]);
  });
});

describe('a task that joins a running executor', () => {
  it('fails when it can not have its volume', async () => {
    world = await createWorld({ resources: RESOURCES });
    const executor = tinyExecutor();
    world.master.send(runTasks(executor, 'a'));
    await world.clock.run(1000);
    const launch = runTasks(executor, 'b');
    world.master.send({
      ...launch,
      tasks: launch.tasks.map((task) => ({ ...task, resources: [VOLUME] })),
    });
    await world.clock.run(1000);
    expect(world.updatesOf('a')).toEqual(['TASK_RUNNING']);
    expect(world.updatesOf('b')).toEqual(['TASK_FAILED']);
  });
});

describe('a task of a group', () => {
  it('has its volume in its own sandbox', async () => {
    const run = (request: LaunchRequest) => startScriptedCommand(request);
    world = await createWorld({ resources: RESOURCES, run });
    await apply(RESERVE, CREATE);
    const executor = { ...tinyExecutor(), type: 'DEFAULT' as const, command: undefined };
    const tasks = ['a', 'b'].map((id) => ({
      ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' } },
      ...{ command: { value: id }, resources: id === 'a' ? [VOLUME] : [] },
    }));
    const group = { executor, tasks, task_group: { tasks } };
    world.master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, ...group });
    await world.clock.run(1000);
    expect(world.updatesOf('a')).toContain('TASK_RUNNING');
    const [place = ''] = [...world.volumes.links.keys()];
    expect(place).toMatch(/\/executors\/executor-1\/runs\/[^/]+\/containers\/[^/]+\/data$/);
    expect([...world.volumes.links.values()]).toEqual([PATH]);
  });
});

describe('an agent that dies at any step of its operations', () => {
  const outcomes: Readonly<Record<string, { readonly volumes: readonly string[] }>> = {
    'cpus:8; disk:1000': { volumes: [] },
    [RESERVED]: { volumes: [] },
    [WITH_VOLUME]: { volumes: [PATH] },
  };
  const deaths = [1, 2, 3, 4, 5, 6].flatMap((count) =>
    [true, false].map((isApplied) => ({ count, isApplied })),
  );

  it.each(deaths)('commit $count, applied: $isApplied', async (death) => {
    world = await createWorld({ resources: RESOURCES });
    const before = world.commits.count;
    world.commits.deathAt = { ...death, count: before + death.count };
    await apply(RESERVE, CREATE, DESTROY);
    await world.crashAgent();
    world.commits.deathAt = undefined;
    await world.startAgent();
    await world.clock.run(60_000);
    const { total, operations } = await subscribeAgain();
    expect(operations).toEqual([]);
    expect([...world.volumes.paths]).toEqual(outcomes[total]?.volumes);
    // Whatever the agent knew of is told to its end.
    const begun = new Set(told().map((word) => word.split(' ')[0]));
    for (const name of begun) expect(told()).toContain(`${name} OPERATION_FINISHED`);
  });
});

describe('an agent whose flags have changed', () => {
  it('does not start without what is reserved of it', async () => {
    world = await createWorld({ resources: RESOURCES });
    await apply(RESERVE);
    await world.crashAgent();
    await world.startAgent(parseResources('cpus:8'));
    expect(world.fatalErrors).toMatchObject([{ code: 'MESOS_ERR_INCOMPATIBLE_RESOURCES' }]);
  });
});
