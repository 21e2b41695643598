import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Encoding } from '../protocol/index.ts';
import { operatorCall } from './testing/operator.ts';
import {
  FRAMEWORK,
  launch,
  type TestAgent,
  type TestScheduler,
  taskOn,
  World,
} from './testing/world.ts';

let world: World;
let agent: TestAgent;
let agentId: string;
let scheduler: TestScheduler;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
  agent = await world.startAgent('agent-1');
  agentId = agent.agent.agentId ?? '';
});

afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

function markGone(id = agentId, encoding: Encoding = 'json') {
  const mark_agent_gone = { agent_id: { value: id } };
  return operatorCall(world, { type: 'MARK_AGENT_GONE', mark_agent_gone }, encoding);
}

async function runTask(partitionAware = true): Promise<void> {
  const [multiRole = { type: 'MULTI_ROLE' }, ...others] = FRAMEWORK.capabilities ?? [];
  const capabilities = partitionAware ? [multiRole, ...others] : [multiRole];
  scheduler = await world.startScheduler('scheduler', { ...FRAMEWORK, capabilities });
  await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
  expect(scheduler.updates('a')).toEqual(['TASK_RUNNING']);
}

const GONE = 'TASK_GONE_BY_OPERATOR REASON_AGENT_REMOVED_BY_OPERATOR';

describe.each(['json', 'protobuf'] as const)('MARK_AGENT_GONE in %s', (encoding) => {
  it('ends the tasks of the agent for good; again, it is as well', async () => {
    await runTask();
    expect(await markGone(agentId, encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(scheduler.updates('a').at(-1)).toBe(GONE);
    expect(scheduler.of('FAILURE').at(-1)?.failure.agent_id?.value).toBe(agentId);
    const { length } = scheduler.events;
    expect(await markGone(agentId, encoding)).toMatchObject({ statusCode: 200, body: '' });
    expect(scheduler.events).toHaveLength(length);
  });

  it('of an agent that is not known is 404', async () => {
    const answer = await markGone('S9', encoding);
    expect(answer).toMatchObject({ statusCode: 404, body: "Agent 'S9' not found" });
  });
});

describe('an agent that is gone', () => {
  it('may not come back as itself, also under the next master', async () => {
    await agent.crash();
    await markGone();
    await world.stopMaster();
    await world.startMaster();
    await agent.restart();
    await world.run(60_000);
    expect(agent.agent.agentId).not.toBe(agentId);
  });

  it('is told to frameworks without PARTITION_AWARE as lost', async () => {
    await runTask(false);
    await markGone();
    expect(scheduler.updates('a').at(-1)).toBe('TASK_LOST REASON_AGENT_REMOVED_BY_OPERATOR');
  });

  it('ends tasks that were unreachable until then', async () => {
    await runTask();
    world.network.cut(agent.origin, 'http://master:5050');
    await world.run(120_000);
    expect(scheduler.updates('a').at(-1)).toBe('TASK_UNREACHABLE REASON_AGENT_REMOVED');
    await markGone();
    expect(scheduler.updates('a').at(-1)).toBe(GONE);
    world.network.heal();
  });

  it('is answered for in reconciliation', async () => {
    await runTask();
    await markGone();
    const tasks = [{ task_id: { value: 'a' }, agent_id: { value: agentId } }];
    await world.call(scheduler, { type: 'RECONCILE', reconcile: { tasks } });
    expect(scheduler.updates('a').at(-1)).toBe('TASK_GONE_BY_OPERATOR REASON_RECONCILIATION');
  });
});
