import { describe, expect, it } from 'vitest';
import { sampleOffer } from './testing/samples.ts';
import { World } from './testing/world.ts';

const VERSION = 'a'.repeat(64);
const stages = [{ name: 'micro', version: VERSION, agentIds: ['agent-1'] }];
const present = { type: 'images', images: [{ name: 'micro', version: VERSION, percent: 100 }] };

/** What has been launched that is no machine. */
const wakes = ({ framework }: World) =>
  framework
    .of('ACCEPT')
    .flatMap(({ accept }) => accept.operations ?? [])
    .flatMap((operation) => (operation.type === 'LAUNCH' ? operation.launch.task_infos : []))
    .filter((task) => task?.name === 'wake');

describe('a host without machines to which an image is to come', () => {
  it('gets an executor by a task that ends at once', async () => {
    const world = await World.subscribed();
    await world.call('POST', '/v1/images/stage', { stages });
    await world.settle();
    expect(world.framework.of('REVIVE').length).toBeGreaterThan(0);
    world.framework.offer(sampleOffer('o1', 'agent-1'), sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(wakes(world)).toMatchObject([
      { agent_id: { value: 'agent-1' }, executor: { executor_id: { value: 'vm-executor' } } },
    ]);
    expect(world.framework.of('DECLINE').flatMap(({ decline }) => decline.offer_ids)).toEqual([
      { value: 'o2' },
    ]);
  });

  it('gets none while one is starting, nor when one is there, nor when nobody wants it any more', async () => {
    const world = await World.subscribed();
    const ask = () => world.call('POST', '/v1/images/stage', { stages });
    const offered = async (id: string) => {
      world.framework.offer(sampleOffer(id, 'agent-1'));
      await world.settle();
      return wakes(world).length;
    };
    await ask();
    expect(await offered('o1')).toBe(1);
    await world.clock.run(10_000);
    await ask();
    expect(await offered('o2'), 'it is starting').toBe(1);
    await world.clock.run(30_000);
    await ask();
    expect(await offered('o3'), 'it never came').toBe(2);
    world.framework.sayAny('agent-1', present);
    await world.clock.run(40_000);
    await ask();
    expect(await offered('o4'), 'it is there').toBe(2);
    await world.clock.run(120_000);
    await ask();
    await world.clock.run(40_000);
    expect(await offered('o5'), 'nobody asks any more').toBe(2);
  });
});
