import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

/** A scheduler that has begun anew beside the machine 1 on `agent-1`, and is asked for machine 2. */
async function begunAnew(): Promise<World> {
  const world = await World.subscribed(await World.running());
  await world.call('PUT', '/v1/vms', { vms: [sampleAssignment(2)] });
  return world;
}

const LOST = { source: 'SOURCE_AGENT', reason: 'REASON_EXECUTOR_TERMINATED' } as const;
const ROOM_FOR_ONE = { cpus: 1.5, mem: 1_024 };

const launched = (world: World) => world.framework.launched().map(({ agentId }) => agentId);

describe('a scheduler that begins anew', () => {
  it('launches nothing on an agent before it knows what became of its machines there', async () => {
    const world = await begunAnew();
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    expect(launched(world)).toEqual([]);
    world.framework.answer(1, 1, 'TASK_RUNNING');
    await world.settle();
    expect(launched(world)).toEqual(['agent-1']);
  });

  it('gives the room of a lost machine to none but that machine', async () => {
    const world = await begunAnew();
    // Room for one of them: what its executor gave back when it died.
    world.framework.offer(sampleOffer('o1', 'agent-1', ROOM_FOR_ONE));
    world.framework.status(1, 1, 'TASK_FAILED', LOST);
    await world.clock.run(3_000);
    const tasks = world.framework.launched();
    expect(tasks.map(({ data }) => data.vmId)).toEqual([vmIdNumber(1)]);
  });

  it('launches on agents at once where it has none', async () => {
    const world = await begunAnew();
    world.framework.offer(sampleOffer('o1', 'agent-2'));
    await world.settle();
    expect(launched(world)).toEqual(['agent-2']);
  });

  it('waits for no answer longer than a few seconds', async () => {
    const world = await begunAnew();
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.clock.run(8_000);
    expect(launched(world)).toEqual(['agent-1']);
  });
});
