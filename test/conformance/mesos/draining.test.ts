import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AgentID, Offer } from '../../../mesos-core/src/protocol/index.ts';
import { RawFramework } from './support/framework.ts';
import { firstAgent, get, type Operator, order, refused } from './support/operator.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, operate, type Target } from './support/target.ts';
import { commandTask, isRoomy } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

const NOBODY = { agent_id: { value: 'nobody' } };
const DRAINED_TIMEOUT_MS = 10_000;

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('an agent that is taken out of service, in %s', (encoding) => {
  let operator: Operator;
  let framework: RawFramework;
  let offer: Offer;
  let agent_id: AgentID;

  beforeEach(async () => {
    operator = { target, encoding };
    framework = await RawFramework.subscribe(target.master, encoding);
    offer = await framework.offer(isRoomy);
    agent_id = offer.agent_id;
  });
  afterEach(async () => {
    await framework.teardown();
    // Refused where it is in service again.
    const reactivate_agent = { agent_id };
    await operate(target.master, encoding, { type: 'REACTIVATE_AGENT', reactivate_agent });
  });

  it('DEACTIVATE_AGENT ends its offers until REACTIVATE_AGENT; what runs goes on', async () => {
    const task = commandTask(offer, 'sleep 1000');
    await framework.launch(offer, task);
    await framework.status(task.task_id.value, 'TASK_RUNNING');
    const open = await framework.offer();
    await order(operator, { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } });
    const { rescind } = await framework.next('RESCIND');
    expect(rescind.offer_id).toEqual(open.id);
    expect(await firstAgent(operator)).toMatchObject({ active: false, deactivated: true });
    const { get_tasks } = await get(operator, { type: 'GET_TASKS' });
    expect(get_tasks.tasks).toContainEqual(
      expect.objectContaining({ task_id: task.task_id, state: 'TASK_RUNNING' }),
    );
    await order(operator, { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } });
    expect((await framework.offer()).agent_id).toEqual(agent_id);
    expect((await firstAgent(operator)).deactivated ?? false).toBe(false);
  });

  it('DRAIN_AGENT kills its tasks within the grace period and leaves it DRAINED, until REACTIVATE_AGENT', async () => {
    const task = commandTask(offer, "trap '' TERM; while true; do sleep 0.1; done");
    await framework.launch(offer, task);
    await framework.status(task.task_id.value, 'TASK_RUNNING');
    const drain_agent = { agent_id, max_grace_period: { seconds: 1 } };
    await order(operator, { type: 'DRAIN_AGENT', drain_agent });
    expect(await firstAgent(operator)).toMatchObject({
      deactivated: true,
      drain_info: { state: 'DRAINING', config: { max_grace_period: { nanoseconds: 1e9 } } },
      estimated_drain_start_time: { nanoseconds: expect.any(Number) },
    });
    const reactivate = { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } } as const;
    expect(await refused(operator, reactivate)).toContain('still in the DRAINING state');
    expect(await framework.status(task.task_id.value, 'TASK_KILLED')).toMatchObject({
      reason: 'REASON_AGENT_DRAINING',
    });
    await waitFor(systemClock, 'the end of the drain', DRAINED_TIMEOUT_MS, async () =>
      (await firstAgent(operator)).drain_info?.state === 'DRAINED' ? true : undefined,
    );
    await order(operator, reactivate);
    expect((await framework.offer()).agent_id).toEqual(agent_id);
  });

  it('calls about an unknown agent are 400', async () => {
    for (const call of [
      { type: 'DRAIN_AGENT', drain_agent: NOBODY },
      { type: 'DEACTIVATE_AGENT', deactivate_agent: NOBODY },
      { type: 'REACTIVATE_AGENT', reactivate_agent: NOBODY },
    ] as const) {
      expect(await refused(operator, call)).not.toBe('');
    }
  });
});

proveCoverage(import.meta.url);
