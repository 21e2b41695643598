import type { Changes, VmSpec } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleObservation, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';

const ask = (world: World, numbers: readonly number[], size: Partial<VmSpec> = {}) =>
  world.call('PUT', '/v1/vms', { vms: numbers.map((n) => sampleAssignment(n, { size })) });

const agents = async (world: World) => {
  const answer = await world.service.app.inject({ method: 'GET', url: '/v1/agents' });
  return answer.json().agents;
};

describe('external addresses', () => {
  const attributes = [
    { name: 'external_addresses', type: 'TEXT', text: { value: '192.0.2.16/31' } },
  ] as const;

  it('are counted: no machine goes where none is left, though there is room', async () => {
    const world = await World.subscribed();
    await ask(world, [1, 2, 3], { externalAddress: true });
    const plain = sampleOffer('o1', 'agent-1');
    const able = sampleOffer('o2', 'agent-2');
    world.framework.offer(plain, { ...able, attributes: [...attributes] });
    await world.settle();
    const agentsOf = () => [1, 2, 3].map((n) => world.record(n).task?.agentId ?? null);
    expect(agentsOf().sort()).toEqual(['agent-2', 'agent-2', null]);
    const [waiting] = [1, 2, 3].map((n) => world.record(n)).filter(({ task }) => task === null);
    expect(waiting?.message).toContain('2 lack external_addresses');
    // Of another agent's attribute that says nothing useful, as of none.
    const bad = { name: 'external_addresses', type: 'TEXT', text: { value: 'many' } } as const;
    world.framework.offer({ ...sampleOffer('o3', 'agent-3'), attributes: [bad] });
    await world.settle();
    expect(agentsOf().filter((each) => each === null)).toHaveLength(1);
    world.framework.offer({
      ...sampleOffer('o4', 'agent-4'),
      attributes: [{ name: 'external_addresses', type: 'TEXT', text: { value: '198.51.100.7' } }],
    });
    await world.settle();
    expect(agentsOf().sort()).toEqual(['agent-2', 'agent-2', 'agent-4']);
  });
});

describe('offers that are not used', () => {
  it('go back without a write, even while the store hangs; the reason is shown all the same', async () => {
    const world = await World.subscribed();
    await ask(world, [1]);
    let writes = 0;
    world.store.beforeSave = () => {
      writes += 1;
      return new Promise(() => undefined);
    };
    world.framework.offer(sampleOffer('o1', 'agent-1', { mem: 64 }));
    await world.settle();
    expect(world.framework.of('DECLINE')).toHaveLength(1);
    expect(writes).toBe(0);
    const changes = (await world.call('POST', '/v1/changes', { after: 0, waitMs: 0 })) as Changes;
    expect(changes.vms[0]?.message).toBe('1 agent makes offers: 1 lack memory.');
  });

  it('leave nothing that a scheduler started later would hide from its readers', async () => {
    const world = await World.subscribed();
    await ask(world, [1]);
    world.framework.offer(sampleOffer('o1', 'agent-1', { mem: 64 }));
    await world.settle();
    const first = (await world.call('POST', '/v1/changes', { after: 0, waitMs: 0 })) as Changes;
    const next = await World.subscribed(world);
    next.framework.offer(sampleOffer('o2', 'agent-1'));
    await next.settle();
    const query = { after: first.revision, waitMs: 0 };
    const second = (await next.call('POST', '/v1/changes', query)) as Changes;
    expect(second.vms.map(({ state }) => state)).toEqual(['launching']);
  });

  it('are few in words: reasons say who makes no offer, and change at most every few seconds', async () => {
    const world = await World.subscribed();
    await ask(world, [1], { vcpus: 16 });
    world.framework.offer(sampleOffer('o1', 'agent-1'), sampleOffer('o2', 'agent-2'));
    await world.settle();
    expect(world.record().message).toBe('2 agents make offers: 2 lack cpus.');
    await world.clock.run(20_000);
    world.framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    await world.clock.run(6_000);
    expect(world.record().message).toBe(
      '1 agent makes offers: 1 lack cpus. 1 more agent makes no offer.',
    );
  });
});

describe('an agent whose launches fail', () => {
  it('gets nothing for a time, then one machine, and all again when that one was made', async () => {
    const world = await World.subscribed();
    const { framework, clock } = world;
    await ask(world, [1, 2, 3, 4, 5]);
    framework.offer(
      sampleOffer('o1', 'agent-1', { cpus: 3.1 }),
      sampleOffer('o2', 'agent-2', { cpus: 0 }),
    );
    await world.settle();
    expect(framework.launched()).toHaveLength(3);
    for (const n of [1, 2, 3]) framework.status(n, 1, 'TASK_DROPPED', { source: 'SOURCE_AGENT' });
    await clock.run(6_000);
    framework.forget();
    framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    expect(framework.launched()).toEqual([]);
    expect(world.record(4).message).toContain('1 in quarantine after failed launches');
    expect(await agents(world)).toMatchObject([
      { agentId: 'agent-1', hostName: 'host-1', standing: 'quarantined', failures: 3 },
      { agentId: 'agent-2', standing: 'good', failures: 0 },
    ]);
    await clock.run(30_000);
    framework.offer(sampleOffer('o4', 'agent-1'));
    await world.settle();
    const [only, ...more] = framework.launched();
    expect(more).toEqual([]);
    expect(await agents(world)).toMatchObject([{ standing: 'probation' }, {}]);
    const n = [1, 2, 3, 4, 5].find((each) => only?.taskId.startsWith(vmIdNumber(each))) ?? 0;
    framework.say('agent-1', [sampleObservation(n, { state: 'running' })]);
    await world.settle();
    framework.offer(sampleOffer('o5', 'agent-1', {}, true));
    await world.settle();
    expect(framework.launched()).toHaveLength(5);
    expect(world.service.state.illegalChangeCount).toBe(0);
  });
});

describe('a machine that waits for long', () => {
  it('has an offer kept for it while others are launched elsewhere, and not for longer than it waits', async () => {
    const world = await World.subscribed();
    const { framework, clock } = world;
    await ask(world, [1, 2]);
    framework.offer(
      sampleOffer('o1', 'agent-1', { cpus: 4.1 }),
      sampleOffer('o2', 'agent-2', { cpus: 1.1 }),
    );
    await world.settle();
    for (const n of [1, 2]) {
      framework.say(world.record(n).task?.agentId ?? '', [sampleObservation(n)]);
    }
    await ask(world, [3], { vcpus: 4 });
    await clock.run(61_000);
    await ask(world, [4]);
    framework.offer(sampleOffer('o3', 'agent-1', { cpus: 3 }, true));
    await world.settle();
    expect(world.record(4).phase).toBe('launching');
    framework.forget();
    await ask(world, [5]);
    framework.offer(sampleOffer('o4', 'agent-1', { cpus: 2 }, true));
    await world.settle();
    expect(world.record(5).message).toContain('held for a machine that waits longer');
    expect(framework.of('DECLINE')).toEqual([]);
    expect((await agents(world))[0]).toMatchObject({ heldFor: vmIdNumber(3) });
    // More comes free there: both offers are used together.
    framework.offer(sampleOffer('o5', 'agent-1', { cpus: 2, mem: 1 }, true));
    await world.settle();
    expect(framework.of('ACCEPT')[0]?.accept.offer_ids).toEqual([{ value: 'o4' }, { value: 'o5' }]);
    expect(world.record(3)).toMatchObject({ phase: 'launching', boundAgentId: 'agent-1' });
  });

  it('has its offer given back when nobody wants it any more', async () => {
    const world = await World.subscribed();
    const { framework, clock } = world;
    await ask(world, [1]);
    framework.offer(sampleOffer('o1', 'agent-1', { cpus: 4.1 }));
    await world.settle();
    framework.say('agent-1', [sampleObservation(1)]);
    await ask(world, [3], { vcpus: 4 });
    await clock.run(61_000);
    await ask(world, [4]);
    framework.offer(sampleOffer('o3', 'agent-1', { cpus: 3 }, true));
    await world.settle();
    framework.offer(sampleOffer('o4', 'agent-1', { cpus: 2 }, true));
    await world.settle();
    framework.forget();
    const changes = [{ vmId: vmIdNumber(3), generation: 2, desired: 'deleted' }];
    await world.call('POST', '/v1/desired', { changes });
    await clock.run(2_000);
    expect(framework.of('DECLINE').flatMap(({ decline }) => decline.offer_ids)).toEqual([
      { value: 'o4' },
    ]);
    expect(framework.of('SUPPRESS')).toHaveLength(1);
  });
});

describe('groups over rounds and restarts', () => {
  it('that must be apart stay apart after the scheduler started anew', async () => {
    const group = { id: 'db', rule: 'anti-affinity' } as const;
    const world = await World.subscribed();
    await ask(world, [1], { group });
    world.framework.offer(sampleOffer('o1', 'agent-1'));
    await world.settle();
    const next = await World.subscribed(world);
    next.framework.answer(1, 1, 'TASK_RUNNING');
    await ask(next, [2], { group });
    next.framework.offer(sampleOffer('o2', 'agent-1', {}, true));
    await next.settle();
    expect(next.framework.launched()).toEqual([]);
    expect(next.record(2).message).toBe('1 agent makes offers: 1 with a machine of its group.');
    next.framework.offer(sampleOffer('o3', 'agent-2'));
    await next.settle();
    expect(next.framework.launched().map(({ agentId }) => agentId)).toEqual(['agent-2']);
  });
});

describe('an agent with maintenance ahead', () => {
  it('gets no new machines', async () => {
    const world = await World.subscribed();
    await ask(world, [1]);
    const start = { nanoseconds: (world.clock.nowMs() + 60_000) * 1e6 };
    world.framework.offer({ ...sampleOffer('o1', 'agent-1'), unavailability: { start } });
    await world.settle();
    expect(world.framework.launched()).toEqual([]);
    expect(world.record().message).toBe('1 agent makes offers: 1 draining.');
  });
});
