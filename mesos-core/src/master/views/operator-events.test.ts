import type { HttpStream } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeMessage,
  type Encoding,
  encodeMessage,
  type MasterEvent,
  MEDIA_TYPES,
  readRecords,
} from '../../protocol/index.ts';
import { launch, taskOn, World } from '../testing/world.ts';

let world: World;
beforeEach(async () => {
  world = new World();
  await world.startMaster();
});
afterEach(() => world.close());

interface Listening {
  readonly events: MasterEvent[];
  readonly stream: HttpStream;
}

async function listen(encoding: Encoding): Promise<Listening> {
  const opening = world.network.transport('http://operator').stream({
    method: 'POST',
    url: 'http://master:5050/api/v1',
    headers: { 'content-type': MEDIA_TYPES[encoding], accept: MEDIA_TYPES[encoding] },
    body: Buffer.from(encodeMessage('master.Call', encoding, { type: 'SUBSCRIBE' })),
    timeoutMs: 5000,
  });
  await world.run(50);
  const stream = await opening;
  const events: MasterEvent[] = [];
  const read = async (): Promise<void> => {
    for await (const record of readRecords(stream.body)) {
      events.push(decodeMessage('master.Event', encoding, record));
    }
  };
  // The end of the master cuts the stream.
  read().catch(() => undefined);
  await world.run(50);
  return { events, stream };
}

describe.each(['json', 'protobuf'] as const)("an operator's event stream in %s", (encoding) => {
  it('begins with the state, and goes on with every change', async () => {
    const agent = await world.startAgent('agent-1');
    const { events } = await listen(encoding);
    const [first] = events;
    expect(first).toMatchObject({
      type: 'SUBSCRIBED',
      subscribed: {
        heartbeat_interval_seconds: 15,
        get_state: { get_agents: { agents: [{ agent_info: { hostname: 'agent-1' } }] } },
      },
    });
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    await world.run(1000);
    agent.executors[0]?.update('a', 'TASK_FINISHED');
    await world.run(1000);
    await world.startAgent('agent-2');
    await world.call(scheduler, { type: 'TEARDOWN' });
    await world.run(1000);
    const told = events.slice(1).filter(({ type }) => type !== 'HEARTBEAT');
    expect(told.map(({ type }) => type)).toEqual([
      'FRAMEWORK_ADDED',
      'TASK_ADDED',
      ...told.flatMap(({ type }) => (type === 'TASK_UPDATED' ? [type] : [])),
      'AGENT_ADDED',
      'FRAMEWORK_REMOVED',
    ]);
    expect(told).toContainEqual(
      expect.objectContaining({
        type: 'TASK_UPDATED',
        task_updated: expect.objectContaining({ state: 'TASK_FINISHED' }),
      }),
    );
  });

  it('tells of agents that are lost, with what ran there', async () => {
    const agent = await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('scheduler');
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, 'a')));
    await world.run(1000);
    const { events } = await listen(encoding);
    await agent.crash();
    await world.run(120_000);
    const told = events.filter(({ type }) => type !== 'HEARTBEAT').slice(1);
    expect(told.map(({ type }) => type)).toEqual(['TASK_UPDATED', 'AGENT_REMOVED']);
    expect(told[0]).toMatchObject({ task_updated: { state: 'TASK_UNREACHABLE' } });
    expect(events.filter(({ type }) => type === 'HEARTBEAT').length).toBeGreaterThan(5);
  });
});

it('an operator that hangs up is forgotten', async () => {
  const { stream, events } = await listen('json');
  stream.close();
  await world.run(100);
  await world.startAgent('agent-1');
  expect(events.map(({ type }) => type)).toEqual(['SUBSCRIBED', 'HEARTBEAT']);
});
