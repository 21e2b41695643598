import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Encoding, MasterCall, Task, TaskState } from '../../protocol/index.ts';
import { newRegistry, withAgents } from '../registry.ts';
import { operatorAnswer, operatorCall } from '../testing/operator.ts';
import { endWorld, startSmallWorld } from '../testing/small-world.ts';
import {
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  type World,
} from '../testing/world.ts';
import { drainedUpdate, drainKillPolicy } from './drain-plan.ts';

let world: World;
let agent: TestAgent;
let agentId: string;
let scheduler: TestScheduler;

beforeEach(async () => {
  ({ world, agent, agentId, scheduler } = await startSmallWorld());
});

afterEach(() => endWorld(world));

const send = (call: MasterCall, encoding: Encoding = 'json') => operatorCall(world, call, encoding);

const at = () => ({ agent_id: { value: agentId } });
const deactivate = (): MasterCall => ({ type: 'DEACTIVATE_AGENT', deactivate_agent: at() });
const reactivate = (): MasterCall => ({ type: 'REACTIVATE_AGENT', reactivate_agent: at() });
const drain = (rest: { mark_gone?: boolean; max_grace_period?: { seconds: number } } = {}) =>
  ({ type: 'DRAIN_AGENT', drain_agent: { ...at(), ...rest } }) as const;

/** What GET_AGENTS says of the agent. */
async function view(encoding: 'json' | 'protobuf' = 'json') {
  const response = await operatorAnswer(world, { type: 'GET_AGENTS' }, encoding);
  if (response.type !== 'GET_AGENTS') throw new Error('another answer');
  return response.get_agents.agents?.find(({ agent_info }) => agent_info.id?.value === agentId);
}

async function runTask(id = 'a'): Promise<void> {
  await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, id)));
  expect(scheduler.updates(id)).toEqual(['TASK_RUNNING']);
}

describe.each(['json', 'protobuf'] as const)("an operator's calls in %s", (encoding) => {
  it('deactivate an agent, whose offers are rescinded and whose tasks go on, and reactivate it', async () => {
    await runTask();
    const before = scheduler.offers.length;
    expect(await send(deactivate(), encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(scheduler.of('RESCIND')).toHaveLength(1);
    await world.run(20_000);
    expect(scheduler.offers).toHaveLength(before);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    expect(await view(encoding)).toMatchObject({ active: false, deactivated: true });
    expect((await send(reactivate(), encoding)).statusCode).toBe(200);
    expect(scheduler.offers).toHaveLength(before + 1);
    expect(await view(encoding)).toMatchObject({ active: true, deactivated: false });
  });

  it('drain an agent: its tasks are killed, and then it is drained until it is reactivated', async () => {
    await runTask();
    scheduler.acknowledges = false;
    const call = drain({ max_grace_period: { seconds: 2 } });
    expect((await send(call, encoding)).statusCode).toBe(200);
    expect(scheduler.updates('a')).toContain('TASK_KILLED REASON_AGENT_DRAINING');
    // The end is not acknowledged yet.
    const config = { max_grace_period: { nanoseconds: 2e9 }, mark_gone: false };
    expect(await view(encoding)).toMatchObject({
      deactivated: true,
      drain_info: { state: 'DRAINING', config },
      estimated_drain_start_time: {},
    });
    expect(await send(reactivate(), encoding)).toMatchObject({
      ...{ statusCode: 400, body: 'Agent is still in the DRAINING state' },
    });
    scheduler.acknowledges = true;
    await world.run(60_000);
    expect(await view(encoding)).toMatchObject({ drain_info: { state: 'DRAINED', config } });
    const before = scheduler.offers.length;
    expect((await send(reactivate(), encoding)).statusCode).toBe(200);
    expect(scheduler.offers).toHaveLength(before + 1);
    expect((await view(encoding))?.drain_info).toBeUndefined();
  });
});

describe('a drain', () => {
  it('of an agent without tasks is over at once', async () => {
    await send(drain());
    expect(await view()).toMatchObject({ drain_info: { state: 'DRAINED' } });
  });

  it('refuses launches on offers that were out', async () => {
    const { offer } = scheduler;
    await send(drain());
    await world.call(scheduler, launch(offer, taskOn(offer, 'late')));
    expect(scheduler.updates('late')).toEqual(['TASK_DROPPED REASON_INVALID_OFFERS']);
  });

  it('marks the agent gone in the end, when asked to', async () => {
    await runTask();
    await send(drain({ mark_gone: true }));
    await world.run(1000);
    expect(scheduler.updates('a')).toEqual([
      ...['TASK_RUNNING', 'TASK_GONE_BY_OPERATOR REASON_AGENT_DRAINING'],
    ]);
    const registered = (await world.registry.load())?.agents.find(({ id }) => id === agentId);
    expect(registered).toMatchObject({ state: 'gone' });
    expect(await view()).toBeUndefined();
    expect(await send(drain())).toMatchObject({ statusCode: 400, body: 'Unknown agent' });
  });

  it('goes on under another master', async () => {
    await runTask();
    scheduler.acknowledges = false;
    await send(drain());
    await world.stopMaster();
    await world.startMaster();
    await world.run(20_000);
    expect(await view()).toMatchObject({ deactivated: true, drain_info: { state: 'DRAINING' } });
    scheduler.acknowledges = true;
    await world.run(60_000);
    expect(await view()).toMatchObject({ deactivated: true, drain_info: { state: 'DRAINED' } });
    expect(scheduler.updates('a')).toContain('TASK_KILLED REASON_AGENT_DRAINING');
  });

  it('of an agent that is away kills its tasks when it is back', async () => {
    await runTask();
    world.network.cut(agent.origin, 'http://master:5050');
    expect((await send(drain())).statusCode).toBe(200);
    await world.run(1000);
    expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
    world.network.heal();
    await world.run(120_000);
    expect(scheduler.updates('a')).toContain('TASK_KILLED REASON_AGENT_DRAINING');
    expect(await view()).toMatchObject({ drain_info: { state: 'DRAINED' } });
  });
});

describe('calls that can not be', () => {
  it.each([deactivate, drain])('of an unknown agent are 400', async (call) => {
    agentId = 'S9';
    expect(await send(call())).toMatchObject({ statusCode: 400, body: 'Unknown agent' });
  });

  it('draining an agent whose maintenance is planned is 400', async () => {
    const { hostname } = scheduler.offer;
    const ip = scheduler.offer.url?.address.ip ?? '';
    const unavailability = { start: { nanoseconds: 4e18 } };
    const schedule = { windows: [{ machine_ids: [{ hostname, ip }], unavailability }] };
    const update_maintenance_schedule = { schedule };
    await send({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule });
    const why = `is part of a maintenance schedule under Machine ${hostname} (${ip})`;
    const answer = await send(drain());
    expect(answer).toMatchObject({ statusCode: 400, body: `Agent ${agentId} ${why}` });
  });

  it('reactivating an agent that is in service is 400', async () => {
    const answer = await send(reactivate());
    expect(answer).toMatchObject({ statusCode: 400, body: 'Agent is not deactivated' });
  });
});

describe('what a drain ends', () => {
  const update = (state: TaskState) => ({
    ...{ framework_id: 'F', latest_state: state },
    status: { task_id: { value: 'a' }, state, reason: 'REASON_EXECUTOR_TERMINATED' as const },
  });
  const drained = (mark_gone: boolean) =>
    ({ state: 'DRAINING', config: { mark_gone }, startedAtMs: 1 }) as const;
  const told = (state: TaskState, isGone: boolean, isAware: boolean) => {
    const { status, latest_state } = drainedUpdate(update(state), drained(isGone), isAware);
    expect(latest_state).toBe(status.state);
    return [status.state, status.reason];
  };

  it('is told with the drain as the reason, and as gone to those who know of that', () => {
    expect(told('TASK_KILLED', false, true)).toEqual(['TASK_KILLED', 'REASON_AGENT_DRAINING']);
    expect(told('TASK_KILLING', true, true)).toEqual(['TASK_KILLING', 'REASON_AGENT_DRAINING']);
    const gone = ['TASK_GONE_BY_OPERATOR', 'REASON_AGENT_DRAINING'];
    expect(told('TASK_KILLED', true, true)).toEqual(gone);
    expect(told('TASK_KILLED', true, false)).toEqual(['TASK_KILLED', 'REASON_AGENT_DRAINING']);
  });

  it.each(['TASK_RUNNING', 'TASK_FINISHED', 'TASK_FAILED'] as const)('%s is as it is', (state) => {
    expect(told(state, true, true)).toEqual([state, 'REASON_EXECUTOR_TERMINATED']);
  });
});

describe('the kill policy of a drain', () => {
  const task = (nanoseconds?: number): Task => ({
    ...{ name: 'a', task_id: { value: 'a' }, agent_id: { value: 'S0' }, state: 'TASK_RUNNING' },
    framework_id: { value: 'F' },
    ...(nanoseconds === undefined ? {} : { kill_policy: { grace_period: { nanoseconds } } }),
  });
  const bound = (nanoseconds: number) => ({ max_grace_period: { nanoseconds } });

  it('shortens what the task wishes, or the default of 3 s, and never lengthens it', () => {
    expect(drainKillPolicy(task(60e9), bound(5e9))).toEqual({ grace_period: { nanoseconds: 5e9 } });
    expect(drainKillPolicy(task(), bound(0))).toEqual({ grace_period: { nanoseconds: 0 } });
    expect(drainKillPolicy(task(2e9), bound(5e9))).toBeUndefined();
    expect(drainKillPolicy(task(60e9), {})).toBeUndefined();
  });
});

it('what was decided of an agent outlives its comings and goings', () => {
  const LIMITS = { registryMaxAgentAgeMs: 10, registryMaxAgentCount: 10 };
  const [id, hostname] = ['S0', 'host'];
  const drained = { state: 'DRAINED', config: {}, startedAtMs: 1 } as const;
  const out = { id, hostname, state: 'admitted', sinceMs: 1, deactivated: true } as const;
  const registry = withAgents(newRegistry('m'), [{ ...out, drain: drained }], 1, LIMITS);
  const away = withAgents(
    ...([registry, [{ id, hostname, state: 'unreachable', sinceMs: 2 }], 2, LIMITS] as const),
  );
  expect(away.agents).toEqual([{ ...out, drain: drained, state: 'unreachable', sinceMs: 2 }]);
});
