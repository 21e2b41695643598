import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Encoding, MachineID, MasterCall, Unavailability } from '../../protocol/index.ts';
import { operatorAnswer, operatorCall } from '../testing/operator.ts';
import { endWorld, startSmallWorld } from '../testing/small-world.ts';
import {
  FRAMEWORK,
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  type World,
} from '../testing/world.ts';

let world: World;
let agent: TestAgent;
let agentId: string;
let machine: MachineID;
let scheduler: TestScheduler;

beforeEach(async () => {
  ({ world, agent, agentId, scheduler } = await startSmallWorld());
  machine = { hostname: 'agent-1', ip: scheduler.offer.url?.address.ip };
});

afterEach(() => endWorld(world));

const TOMORROW: Unavailability = {
  start: { nanoseconds: 4_102_444_800e9 },
  duration: { nanoseconds: 3600e9 },
};

const send = (call: MasterCall, encoding: Encoding = 'json') => operatorCall(world, call, encoding);

const ask = (call: MasterCall, encoding: Encoding = 'json') =>
  operatorAnswer(world, call, encoding);

function schedule(machines: readonly MachineID[], unavailability = TOMORROW): MasterCall {
  const windows = machines.length === 0 ? [] : [{ machine_ids: machines, unavailability }];
  const update_maintenance_schedule = { schedule: { windows } };
  return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule };
}

const start = (...machines: readonly MachineID[]): MasterCall => ({
  ...{ type: 'START_MAINTENANCE', start_maintenance: { machines } },
});

const stop = (...machines: readonly MachineID[]): MasterCall => ({
  ...{ type: 'STOP_MAINTENANCE', stop_maintenance: { machines } },
});

const inverseOffers = () =>
  scheduler
    .of('INVERSE_OFFERS')
    .flatMap(({ inverse_offers }) => inverse_offers.inverse_offers ?? []);

function answer(type: 'ACCEPT_INVERSE_OFFERS' | 'DECLINE_INVERSE_OFFERS', refuse_seconds: number) {
  const inverse_offer_ids = inverseOffers().map(({ id }) => id);
  const body = { inverse_offer_ids, filters: { refuse_seconds } };
  return world.call(
    scheduler,
    type === 'ACCEPT_INVERSE_OFFERS'
      ? { type, accept_inverse_offers: body }
      : { type, decline_inverse_offers: body },
  );
}

async function runTask(): Promise<void> {
  await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
  expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
}

describe.each(['json', 'protobuf'] as const)("an operator's calls in %s", (encoding) => {
  it('plan maintenance, take a machine down and bring it up', async () => {
    await runTask();
    expect(await send(schedule([machine]), encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(await ask({ type: 'GET_MAINTENANCE_SCHEDULE' }, encoding)).toEqual({
      type: 'GET_MAINTENANCE_SCHEDULE',
      get_maintenance_schedule: {
        schedule: { windows: [{ machine_ids: [machine], unavailability: TOMORROW }] },
      },
    });
    expect(await ask({ type: 'GET_MAINTENANCE_STATUS' }, encoding)).toEqual({
      type: 'GET_MAINTENANCE_STATUS',
      get_maintenance_status: { status: { draining_machines: [{ id: machine }] } },
    });
    expect((await send(start(machine), encoding)).statusCode).toBe(200);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_GONE REASON_AGENT_REMOVED');
    const { length } = scheduler.offers;
    await world.run(60_000);
    expect(scheduler.offers).toHaveLength(length);
    expect(agent.executors[0]?.events.at(-1)).toEqual({ type: 'SHUTDOWN' });
    const answer = await ask({ type: 'GET_AGENTS' }, encoding);
    expect(answer.type === 'GET_AGENTS' && (answer.get_agents.agents ?? [])).toEqual([]);
    expect(await ask({ type: 'GET_MAINTENANCE_STATUS' }, encoding)).toEqual({
      type: 'GET_MAINTENANCE_STATUS',
      get_maintenance_status: { status: { down_machines: [machine] } },
    });
    expect((await send(stop(machine), encoding)).statusCode).toBe(200);
    await world.run(120_000);
    expect(scheduler.offers.length).toBeGreaterThan(length);
    expect(scheduler.offer.agent_id.value).not.toBe(agentId);
    expect(scheduler.offer.unavailability).toBeUndefined();
    expect(await ask({ type: 'GET_MAINTENANCE_SCHEDULE' }, encoding)).toEqual({
      type: 'GET_MAINTENANCE_SCHEDULE',
      get_maintenance_schedule: { schedule: {} },
    });
  });
});

describe('planned maintenance', () => {
  it('is told in offers; those that did not say it are rescinded', async () => {
    const before = scheduler.offer;
    await send(schedule([machine]));
    expect(scheduler.of('RESCIND').at(-1)?.rescind.offer_id).toEqual(before.id);
    expect(scheduler.offer.unavailability).toEqual(TOMORROW);
    await send(schedule([]));
    expect(scheduler.offer.unavailability).toBeUndefined();
  });

  it('goes on under another master, which asks frameworks again', async () => {
    await runTask();
    await send(schedule([machine]));
    await world.stopMaster();
    await world.startMaster();
    const { length } = inverseOffers();
    await world.run(60_000);
    expect(inverseOffers().length).toBeGreaterThan(length);
    expect(inverseOffers().at(-1)).toMatchObject({ unavailability: TOMORROW });
    expect(await ask({ type: 'GET_MAINTENANCE_STATUS' })).toMatchObject({
      get_maintenance_status: { status: { draining_machines: [{ id: machine }] } },
    });
  });

  it('is of machines that are no other by the case of their names, and of no other machine', async () => {
    await send(schedule([{ ...machine, hostname: 'AGENT-1' }]));
    expect(scheduler.offer.unavailability).toEqual(TOMORROW);
    await send(schedule([{ ...machine, ip: '10.9.9.9' }]));
    expect(scheduler.offer.unavailability).toBeUndefined();
  });
});

describe('inverse offers', () => {
  beforeEach(runTask);

  it('ask frameworks on the agent to leave, and are shown until they are answered', async () => {
    await send(schedule([machine]));
    expect(inverseOffers()).toMatchObject([
      {
        agent_id: { value: agentId },
        framework_id: { value: scheduler.id },
        unavailability: TOMORROW,
      },
    ]);
    expect(await ask({ type: 'GET_FRAMEWORKS' })).toMatchObject({
      get_frameworks: { frameworks: [{ inverse_offers: inverseOffers() }] },
    });
  });

  it.each(['ACCEPT', 'DECLINE'] as const)(
    'are answered with %s, which operators see; they come again after the filter',
    async (status) => {
      await send(schedule([machine]));
      await answer(`${status}_INVERSE_OFFERS`, 100);
      expect(await ask({ type: 'GET_MAINTENANCE_STATUS' })).toMatchObject({
        get_maintenance_status: {
          status: {
            draining_machines: [
              { id: machine, statuses: [{ status, framework_id: { value: scheduler.id } }] },
            ],
          },
        },
      });
      await world.run(90_000);
      expect(inverseOffers()).toHaveLength(1);
      await world.run(20_000);
      expect(inverseOffers()).toHaveLength(2);
    },
  );

  it('are made anew for a scheduler that takes over', async () => {
    await send(schedule([machine]));
    const next = await world.startScheduler('next', { ...FRAMEWORK, id: { value: scheduler.id } });
    await world.run(2000);
    expect(next.of('INVERSE_OFFERS')).toHaveLength(1);
    const now = next.of('INVERSE_OFFERS')[0]?.inverse_offers.inverse_offers;
    expect(now).not.toEqual(inverseOffers());
    expect(await ask({ type: 'GET_FRAMEWORKS' })).toMatchObject({
      get_frameworks: { frameworks: [{ inverse_offers: now }] },
    });
  });

  it('are rescinded when the agent is away', async () => {
    await send(schedule([machine]));
    await agent.crash();
    const [asked] = inverseOffers();
    expect(scheduler.of('RESCIND_INVERSE_OFFER')).toMatchObject([
      { rescind_inverse_offer: { inverse_offer_id: asked?.id } },
    ]);
  });

  it('are rescinded when the maintenance is called off', async () => {
    await send(schedule([machine]));
    const [asked] = inverseOffers();
    await send(schedule([]));
    expect(scheduler.of('RESCIND_INVERSE_OFFER')).toEqual([
      {
        type: 'RESCIND_INVERSE_OFFER',
        rescind_inverse_offer: { inverse_offer_id: asked?.id },
      },
    ]);
    // An answer that comes too late does no harm.
    await answer('ACCEPT_INVERSE_OFFERS', 1);
    await world.run(60_000);
    expect(inverseOffers()).toHaveLength(1);
  });
});

describe('refusals', () => {
  const nameOf = ({ hostname, ip }: MachineID) => `Machine '${JSON.stringify({ hostname, ip })}'`;

  it('of schedules are 400', async () => {
    const empty = { windows: [{ machine_ids: [], unavailability: TOMORROW }] };
    const cases = [
      [
        { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: empty } },
        'List of machines in the maintenance window is empty',
      ],
      [schedule([machine, machine]), `${nameOf(machine)} appears more than once in the schedule`],
      [schedule([{}]), "Both 'hostname' and 'ip' for a machine are empty"],
      [schedule([{ ip: 'nowhere' }]), "Failed to parse the IP 'nowhere'"],
      [
        schedule([machine], { ...TOMORROW, duration: { nanoseconds: -1 } }),
        "Unavailability 'duration' is negative",
      ],
    ] as const;
    for (const [call, body] of cases)
      expect(await send(call)).toMatchObject({ statusCode: 400, body });
  });

  it('of steps that the mode of a machine has not are 400', async () => {
    const refused = async (call: MasterCall, why: string) =>
      expect(await send(call)).toMatchObject({ statusCode: 400, body: why });
    const name = nameOf(machine);
    await refused(start(), 'List of machines is empty');
    await refused(start(machine), `${name} is not part of a maintenance schedule`);
    await refused(stop(machine), `${name} is not part of a maintenance schedule`);
    await send(schedule([machine]));
    await refused(stop(machine), `${name} is not in DOWN mode and cannot be brought up`);
    await send(start(machine));
    await refused(start(machine), `${name} is not in DRAINING mode and cannot be brought down`);
    await refused(schedule([]), `${name} is deactivated and cannot be removed from the schedule`);
  });
});

describe('the older endpoints', () => {
  it.each(['', '/master'])('%s/maintenance and %s/machine do the same', async (prefix) => {
    const inject = (method: 'GET' | 'POST' | 'PUT', path: string, payload?: object) =>
      world.master.app.inject({
        ...{ method, url: prefix + path, headers: { 'content-type': 'application/json' } },
        ...(payload === undefined ? {} : { payload }),
      });
    const windows = [{ machine_ids: [machine], unavailability: TOMORROW }];
    expect((await inject('POST', '/maintenance/schedule', { windows })).statusCode).toBe(200);
    expect((await inject('GET', '/maintenance/schedule')).json()).toEqual({ windows });
    expect((await inject('GET', '/maintenance/status')).json()).toEqual({
      ...{ draining_machines: [{ id: machine }] },
    });
    expect((await inject('POST', '/machine/down', [machine])).statusCode).toBe(200);
    expect((await inject('GET', '/maintenance/status')).json()).toEqual({
      ...{ down_machines: [machine] },
    });
    expect((await inject('POST', '/machine/up', [machine])).statusCode).toBe(200);
    expect((await inject('GET', '/maintenance/schedule')).json()).toEqual({});
    expect((await inject('POST', '/machine/up', {})).statusCode).toBe(400);
    const other = await inject('PUT', '/maintenance/schedule', {});
    expect(other.statusCode).toBe(405);
    expect(other.headers.allow).toBe('GET, POST');
  });
});
