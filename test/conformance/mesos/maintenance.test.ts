import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MachineID, MaintenanceSchedule } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { firstAgent, get, type Operator, order, refused } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, type Target } from './support/target.ts';
import { commandTask, isRoomy } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

/** No agent runs there: it can be taken down. */
const ELSEWHERE: MachineID = { hostname: 'conformance-elsewhere', ip: '127.0.0.9' };
const IN_2100 = {
  start: { nanoseconds: 4_102_444_800_000_000_000 },
  duration: { nanoseconds: 3_600_000_000_000 },
};
const ANSWER_TIMEOUT_MS = 10_000;

const planFor = (...machine_ids: readonly MachineID[]): MaintenanceSchedule => ({
  windows: [{ machine_ids, unavailability: IN_2100 }],
});

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('maintenance in %s', (encoding) => {
  let operator: Operator;
  beforeAll(() => {
    operator = { target, encoding };
  });
  afterEach(() => plan({}));

  const plan = (schedule: MaintenanceSchedule): Promise<void> =>
    order(operator, {
      ...{ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule } },
    });

  async function status() {
    const response = await get(operator, { type: 'GET_MAINTENANCE_STATUS' });
    return response.get_maintenance_status.status;
  }

  async function schedule() {
    const response = await get(operator, { type: 'GET_MAINTENANCE_SCHEDULE' });
    return response.get_maintenance_schedule.schedule;
  }

  it('UPDATE_MAINTENANCE_SCHEDULE plans it, which GET_MAINTENANCE_SCHEDULE and GET_MAINTENANCE_STATUS show', async () => {
    await plan(planFor(ELSEWHERE));
    expect(await schedule()).toEqual(planFor(ELSEWHERE));
    expect(await status()).toEqual({ draining_machines: [{ id: ELSEWHERE }] });
    for (const [path, shown] of [
      ['/maintenance/schedule', planFor(ELSEWHERE)],
      ['/maintenance/status', { draining_machines: [{ id: ELSEWHERE }] }],
    ] as const) {
      const { body } = await ask({ url: target.master + path, method: 'GET' });
      expect(JSON.parse(body.toString())).toEqual(shown);
    }
    await plan({});
    expect([await schedule(), await status()]).toEqual([{}, {}]);
  });

  it('UPDATE_MAINTENANCE_SCHEDULE with a window of no machine is 400', async () => {
    const update_maintenance_schedule = { schedule: planFor() };
    const call = { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule } as const;
    expect(await refused(operator, call)).toContain(
      'List of machines in the maintenance window is empty',
    );
  });

  it('START_MAINTENANCE takes a machine down until STOP_MAINTENANCE, which ends its plan', async () => {
    const machines = { machines: [ELSEWHERE] };
    await plan(planFor(ELSEWHERE));
    await order(operator, { type: 'START_MAINTENANCE', start_maintenance: machines });
    expect(await status()).toEqual({ down_machines: [ELSEWHERE] });
    await order(operator, { type: 'STOP_MAINTENANCE', stop_maintenance: machines });
    expect([await schedule(), await status()]).toEqual([{}, {}]);
  });

  it('START_MAINTENANCE of a machine that is not planned for is 400, and so is STOP_MAINTENANCE', async () => {
    const machines = { machines: [ELSEWHERE] };
    const start = { type: 'START_MAINTENANCE', start_maintenance: machines } as const;
    expect(await refused(operator, start)).toContain('is not part of a maintenance schedule');
    await plan(planFor(ELSEWHERE));
    const stop = { type: 'STOP_MAINTENANCE', stop_maintenance: machines } as const;
    expect(await refused(operator, stop)).toContain('is not in DOWN mode');
  });

  /** As the master knows it: the address is that in its pid. */
  async function agentMachine(): Promise<MachineID> {
    const { agent_info, pid = '' } = await firstAgent(operator);
    const ip = /@(.+):\d+$/.exec(pid)?.[1];
    return { hostname: agent_info.hostname, ...(ip === undefined ? {} : { ip }) };
  }

  async function answerOf(machine: MachineID): Promise<string | undefined> {
    const { draining_machines = [] } = await status();
    const own = draining_machines.find(({ id }) => id.hostname === machine.hostname);
    return own?.statuses?.[0]?.status;
  }

  it('asks frameworks to leave with INVERSE_OFFERS, until ACCEPT_INVERSE_OFFERS or DECLINE_INVERSE_OFFERS, and takes it back with RESCIND_INVERSE_OFFER', async () => {
    const framework = await RawFramework.subscribe(target.master, encoding);
    const machine = await agentMachine();
    const answered = (with_: string) =>
      waitFor(systemClock, with_, ANSWER_TIMEOUT_MS, async () =>
        (await answerOf(machine)) === with_ ? true : undefined,
      );
    const inverseOffer = async () => {
      const [first] = (await framework.next('INVERSE_OFFERS')).inverse_offers.inverse_offers ?? [];
      if (first === undefined) throw new Error('there is no inverse offer in it');
      return first;
    };
    const filters = { refuse_seconds: 0 };
    try {
      const offer = await framework.offer(isRoomy);
      const task = commandTask(offer, 'sleep 1000');
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      await plan(planFor(machine));

      const first = await inverseOffer();
      expect(first).toMatchObject({
        ...{ framework_id: { value: framework.id }, agent_id: offer.agent_id },
        unavailability: IN_2100,
      });
      await framework.call({
        type: 'ACCEPT_INVERSE_OFFERS',
        accept_inverse_offers: { inverse_offer_ids: [first.id], filters },
      });
      await answered('ACCEPT');

      const second = await inverseOffer();
      await framework.call({
        type: 'DECLINE_INVERSE_OFFERS',
        decline_inverse_offers: { inverse_offer_ids: [second.id], filters },
      });
      await answered('DECLINE');
      const announced = await framework.offer(({ unavailability }) => unavailability !== undefined);
      expect(announced.unavailability).toEqual(IN_2100);

      const third = await inverseOffer();
      await plan({});
      const { rescind_inverse_offer } = await framework.next('RESCIND_INVERSE_OFFER');
      expect(rescind_inverse_offer.inverse_offer_id).toEqual(third.id);
    } finally {
      await framework.teardown();
    }
  });
});

proveCoverage(import.meta.url);
