import type { AppliedSpec, VmObservation } from '@factory/contracts';
import type { TaskInfo } from 'mesos-core/protocol';
import { describe, expect, it } from 'vitest';
import { sampleAssignment, sampleObservation, sampleOffer, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';
import { toReport } from './vm-record.ts';

const { spec } = sampleAssignment(1);
const bigger = { ...spec, vcpus: 2, diskGiB: 3 };
const OLD: AppliedSpec = { vcpus: 1, memoryMiB: 128, diskGiB: 1, image: { name: 'micro' } };
const DONE = { seq: 1_009, generation: 3, state: 'stopped' } as const;
const RELEASED = { source: 'SOURCE_EXECUTOR', message: 'RELEASED: ' } as const;

/** VM 1 is off by its second wish, and wished to be bigger by its third. */
async function wishedBigger(): Promise<World> {
  const world = await World.running();
  const change = { vmId: vmIdNumber(1), generation: 2, desired: 'stopped' };
  await world.call('POST', '/v1/desired', { changes: [change] });
  say(world, { seq: 1_001, generation: 2, state: 'stopped' });
  await world.settle();
  world.framework.forget();
  const wish = { ...change, generation: 3, spec: bigger };
  await world.call('POST', '/v1/desired', { changes: [wish] });
  return world;
}

function say(world: World, changes: Partial<VmObservation>): void {
  world.framework.say('agent-1', [sampleObservation(1, changes)], { full: true });
}

/** Its executor has let the task go. */
async function released(): Promise<World> {
  const world = await wishedBigger();
  world.framework.forget();
  world.framework.status(1, 1, 'TASK_FINISHED', RELEASED);
  await world.settle();
  return world;
}

const launched = (world: World): readonly TaskInfo[] =>
  world.framework
    .of('ACCEPT')
    .flatMap(({ accept }) => accept.operations ?? [])
    .flatMap((operation) => (operation.type === 'LAUNCH' ? operation.launch.task_infos : []))
    .flatMap((task) => task ?? []);

describe('a change of size', () => {
  it('lets the task go, and tells the executor nothing else until there is another', async () => {
    const world = await wishedBigger();
    expect(world.framework.told()).toEqual([{ type: 'release', taskIds: [`${vmIdNumber(1)}.1`] }]);
    expect(world.shown()).toBe('stopped');
    // Asked again with the heartbeat: the word may have been lost.
    world.framework.forget();
    world.framework.say('agent-1', [sampleObservation(1, { seq: 1_001, state: 'stopped' })], {
      full: true,
    });
    await world.settle();
    expect(world.framework.told()).toMatchObject([{ type: 'release' }]);
  });

  it('launches it again on its host, with the new amounts', async () => {
    const world = await released();
    expect(world.shown()).toBe('resizing');
    world.framework.offer(sampleOffer('o2', 'agent-2'));
    world.framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    const [task] = launched(world);
    expect(task?.agent_id.value).toBe('agent-1');
    expect(task?.task_id.value).toBe(`${vmIdNumber(1)}.2`);
    expect(task?.resources?.find(({ name }) => name === 'cpus')?.scalar?.value).toBe(2);
    const data = JSON.parse(Buffer.from(task?.data ?? '', 'base64').toString());
    expect(data).toMatchObject({ generation: 3, desired: 'stopped', spec: bigger });
    say(world, {
      seq: 1_009,
      generation: 3,
      state: 'stopped',
      applied: { ...OLD, ...sizes(bigger) },
    });
    await world.settle();
    expect(world.record().resize).toBeUndefined();
    expect(toReport(world.record())).toMatchObject({ state: 'stopped', applied: sizes(bigger) });
  });

  it('goes back to what it was when its host has no room, and says so', async () => {
    const world = await released();
    await world.clock.run(32_000);
    expect(world.record()).toMatchObject({ reason: 'NO_CAPACITY' });
    world.framework.forget();
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    const data = JSON.parse(Buffer.from(launched(world)[0]?.data ?? '', 'base64').toString());
    expect(data).toMatchObject({ generation: 3, spec });
    say(world, {
      seq: 1_009,
      generation: 3,
      state: 'stopped',
      reason: 'STOPPED_BY_USER',
      applied: OLD,
    });
    await world.settle();
    expect(toReport(world.record())).toMatchObject({
      state: 'stopped',
      generation: 3,
      reason: 'NO_CAPACITY',
      message: expect.stringMatching('no room for 2 vCPUs'),
      applied: OLD,
    });
  });

  it('fails past its deadline when other frameworks took even the room that it had', async () => {
    const world = await released();
    await world.clock.run(6 * 60_000);
    expect(world.shown()).toBe('failed');
    expect(world.record()).toMatchObject({ reason: 'NO_CAPACITY', boundAgentId: 'agent-1' });
    world.framework.forget();
    const change = { vmId: vmIdNumber(1), generation: 4, desired: 'running' };
    await world.call('POST', '/v1/desired', { changes: [change] });
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    expect(launched(world)).toHaveLength(1);
  });

  it('that its executor could not carry out makes the task follow the machine', async () => {
    const world = await released();
    world.framework.offer(sampleOffer('o2', 'agent-1'));
    await world.settle();
    world.framework.forget();
    say(world, { seq: 1_009, generation: 3, state: 'failed', reason: 'DISK_FULL', applied: OLD });
    await world.settle();
    expect(world.framework.told()).toEqual([{ type: 'release', taskIds: [`${vmIdNumber(1)}.2`] }]);
    world.framework.status(1, 2, 'TASK_FINISHED', RELEASED);
    world.framework.forget();
    world.framework.offer(sampleOffer('o3', 'agent-1'));
    await world.settle();
    const data = JSON.parse(Buffer.from(launched(world)[0]?.data ?? '', 'base64').toString());
    expect(data.spec).toMatchObject({ vcpus: 1, diskGiB: 1 });
  });

  it('does not end a task under a guest that is on', async () => {
    const world = await World.running();
    const change = { vmId: vmIdNumber(1), generation: 2, desired: 'running', spec: bigger };
    await world.call('POST', '/v1/desired', { changes: [change] });
    expect(world.framework.told()).toMatchObject([
      { type: 'setDesired', changes: [{ spec: { vcpus: 1, diskGiB: 1 } }] },
    ]);
  });

  it('survives the scheduler', async () => {
    const before = await wishedBigger();
    const world = await World.subscribed(before);
    world.framework.say('agent-1', [sampleObservation(1, { seq: 1_001, state: 'stopped' })], {
      full: true,
    });
    await world.settle();
    expect(world.framework.told()).toContainEqual({
      type: 'release',
      taskIds: [`${vmIdNumber(1)}.1`],
    });
  });

  it.each(['wished', 'released', 'launched'] as const)(
    'is carried out by the next scheduler, when one dies after it was %s',
    async (moment) => {
      let world = await wishedBigger();
      const successor = async (): Promise<World> => {
        const next = await World.subscribed(world);
        next.framework.say('agent-1', [sampleObservation(1, { seq: 1_001, state: 'stopped' })], {
          full: true,
        });
        await next.settle();
        return next;
      };
      if (moment === 'wished') world = await successor();
      world.framework.status(1, 1, 'TASK_FINISHED', RELEASED);
      await world.settle();
      if (moment === 'released') world = await successor();
      world.framework.offer(sampleOffer('o2', 'agent-1'));
      await world.settle();
      expect(launched(world)).toHaveLength(1);
      if (moment === 'launched') world = await World.subscribed(world);
      say(world, { ...DONE, applied: { ...OLD, ...sizes(bigger) } });
      await world.settle();
      expect(world.record()).toMatchObject({ attempts: 2, phase: 'hosted' });
      expect(world.record().resize).toBeUndefined();
      expect(world.record().task?.size).toBeUndefined();
    },
  );

  it('keeps the room that it is to have from other machines of the factory', async () => {
    const world = await wishedBigger();
    const other = sampleAssignment(2, { size: { vcpus: 8 } });
    await world.call('PUT', '/v1/vms', { vms: [other] });
    world.framework.forget();
    world.framework.offer(sampleOffer('o2', 'agent-1', { cpus: 8 }));
    await world.settle();
    expect(launched(world)).toEqual([]);
  });
});

function sizes({ vcpus, memoryMiB, diskGiB }: typeof spec) {
  return { vcpus, memoryMiB, diskGiB };
}
