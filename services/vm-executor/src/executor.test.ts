import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const domainOf = (test: TestHost) => test.host.domains.get(vmId);

async function runningVm(changes: Parameters<typeof testTask>[1] = {}) {
  const test = new TestHost({ latency: { callMs: 20 } });
  await test.start();
  const taskId = test.launch(testTask(1, changes));
  await test.run(10_000);
  expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: true });
  return { test, taskId };
}

function expectNothingLeft(test: TestHost): void {
  expect(test.host.domains.size).toBe(0);
  expect(test.host.folders.size).toBe(0);
  expect(test.host.leases.size).toBe(0);
  expect(test.host.consoles.size).toBe(0);
  expect([...test.host.network.cards(), ...test.host.network.subnetIds()]).toEqual([]);
}

describe('making', () => {
  it('brings a VM from launch to running, and says so', async () => {
    const { test, taskId } = await runningVm();
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING']);
    expect(test.link.states(vmId)).toEqual(['preparing', 'starting', 'running']);
    const { timeline, generation } = test.link.latest(vmId) ?? {};
    expect(generation).toBe(1);
    expect(Object.keys(timeline ?? {})).toEqual(['taken', 'image', 'defined', 'started', 'ready']);
  });

  it('makes a VM that is wished stopped, and leaves it off', async () => {
    const test = new TestHost();
    await test.start();
    test.launch(testTask(1, { desired: 'stopped' }));
    await test.run(5_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'stopped', reason: 'STOPPED_BY_USER' });
    expect(domainOf(test)?.on).toBe(false);
  });

  it('removes all and fails when the image is missing', async () => {
    const test = new TestHost({ images: [] });
    await test.start();
    const taskId = test.launch(testTask(1));
    await test.run(5_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'IMAGE_MISSING',
      message: expect.stringContaining('micro'),
    });
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    expectNothingLeft(test);
  });

  it('does not give a VM back to a launch that came late', async () => {
    const test = new TestHost();
    await test.start();
    const second = test.launch(testTask(1), 2);
    await test.run(10_000);
    const first = test.launch(testTask(1), 1);
    await test.run(5_000);
    expect(test.link.updatesOf(first)).toEqual(['TASK_KILLED']);
    expect(test.link.updatesOf(second)).toEqual(['TASK_RUNNING']);
    expect(domainOf(test)?.on).toBe(true);
  });

  it('refuses a task whose data make no sense', async () => {
    const test = new TestHost();
    await test.start();
    test.link.launch({ version: 1, vmId: 'x' }, `${vmId}.1`);
    await test.run(100);
    expect(test.link.updates).toMatchObject([{ state: 'TASK_FAILED' }]);
  });

  it('waits for a hypervisor that is away, and goes on when it is back', async () => {
    const test = new TestHost();
    await test.start();
    test.host.disconnect();
    test.launch(testTask(1));
    await test.run(30_000);
    expect(test.link.latest(vmId)?.state).toBe('preparing');
    test.host.reconnect();
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });

  it('gives up when the hypervisor is away past the deadline', async () => {
    const test = new TestHost();
    await test.start();
    test.host.disconnect();
    test.launch(testTask(1));
    await test.run(11 * 60_000);
    test.host.reconnect();
    await test.run(20_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'HYPERVISOR_UNAVAILABLE',
    });
    expectNothingLeft(test);
  });

  it('lets one trouble hold up nobody else', async () => {
    const test = new TestHost();
    await test.start();
    test.launch(testTask(1, { spec: { ...testTask(1).spec, image: { name: 'none' } } }));
    for (let number = 2; number <= 20; number += 1) test.launch(testTask(number));
    await test.run(20_000);
    expect(test.host.runningVms()).toHaveLength(19);
  });
});

describe('a task that only starts the executor', () => {
  it('ends at once, and the executor stays', async () => {
    const test = new TestHost();
    await test.start();
    test.link.launch({ version: 1, wake: true }, 'wake.agent-1.1');
    await test.run(5_000);
    expect(test.link.updatesOf('wake.agent-1.1')).toEqual(['TASK_FINISHED']);
    test.launch(testTask(1));
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });
});

describe('wishes', () => {
  it('that wait for the hypervisor say so, until they are carried out', async () => {
    const { test } = await runningVm();
    test.host.disconnect();
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    const waiting = { state: 'running', reason: 'HYPERVISOR_UNAVAILABLE' };
    expect(test.link.latest(vmId)).toMatchObject(waiting);
    test.wish(vmId, 3, 'running');
    test.host.reconnect();
    await test.run(20_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', reason: null, generation: 3 });
  });

  it('stops by the power button, and starts again from the same disk', async () => {
    const { test } = await runningVm();
    test.wish(vmId, 2, 'stopped');
    await test.run(3_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'stopped',
      reason: 'STOPPED_BY_USER',
      generation: 2,
    });
    test.wish(vmId, 3, 'running');
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'running',
      generation: 3,
      guestReady: true,
    });
  });

  it('forces a guest off that does not obey', async () => {
    const test = new TestHost({ latency: { guestBootMs: 1e9 } });
    await test.start();
    test.launch(testTask(1));
    await test.run(5_000);
    test.wish(vmId, 2, 'stopped');
    await test.run(19_000);
    expect(test.link.latest(vmId)?.state).toBe('stopping');
    await test.run(3_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'stopped', reason: 'FORCED_OFF' });
  });

  it('presses the button again for a guest that was too early in its boot', async () => {
    const test = new TestHost({ latency: { guestBootMs: 4_000 } });
    await test.start();
    test.launch(testTask(1));
    await test.run(1_000);
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'stopped', reason: 'STOPPED_BY_USER' });
  });

  it('ignores an older wish', async () => {
    const { test } = await runningVm({ generation: 5 });
    test.wish(vmId, 4, 'stopped');
    await test.run(30_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });

  it('deletes a VM that is being stopped, without waiting for its guest', async () => {
    const test = new TestHost({ latency: { guestBootMs: 1e9 } });
    await test.start();
    test.launch(testTask(1));
    await test.run(5_000);
    test.wish(vmId, 2, 'stopped');
    await test.run(1_000);
    test.wish(vmId, 3, 'deleted');
    await test.run(1_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
    expectNothingLeft(test);
  });
});

describe('deleting', () => {
  it.each([
    ['alone', false, 'TASK_FINISHED'],
    ['with a kill behind it', true, 'TASK_KILLED'],
  ] as const)('removes all, for the wish %s', async (_, isKilled, end) => {
    const { test, taskId } = await runningVm();
    test.wish(vmId, 2, 'deleted');
    if (isKilled) test.link.kill(taskId);
    await test.run(1_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'deleted', generation: 2 });
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', end]);
    expectNothingLeft(test);
  });

  it('cleans up what an earlier executor left, for a task that says so', async () => {
    const { test } = await runningVm();
    await test.restartExecutor();
    const taskId = test.launch(testTask(1, { desired: 'deleted', generation: 2 }), 2);
    await test.run(1_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'deleted', generation: 2 });
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_FINISHED']);
    expectNothingLeft(test);
  });

  it('goes on until it works', async () => {
    const { test } = await runningVm();
    test.host.disconnect();
    test.wish(vmId, 2, 'deleted');
    await test.run(6 * 60_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'failed' });
    test.host.reconnect();
    await test.run(20_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
    expectNothingLeft(test);
  });

  it('speaks of the deleted VM for a while, should the message have been lost', async () => {
    const { test } = await runningVm();
    test.wish(vmId, 2, 'deleted');
    await test.run(1_000);
    test.link.messages.length = 0;
    test.link.say({ type: 'report' });
    await test.run(6_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
  });
});

describe('what happens outside', () => {
  it('reports a guest that powers itself off, and leaves it off', async () => {
    const { test } = await runningVm();
    test.host.endGuest(vmId, 'guestShutdown');
    await test.run(200);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'stopped',
      reason: 'GUEST_POWERED_OFF',
    });
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(60_000);
    expect(domainOf(test)?.on).toBe(false);
    expect(test.link.latest(vmId)).toMatchObject({ reason: 'GUEST_POWERED_OFF' });
  });

  it.each([
    ['killed', 'KILLED_FROM_OUTSIDE'],
    ['destroyed', 'KILLED_FROM_OUTSIDE'],
    ['crashed', 'GUEST_CRASHED'],
  ] as const)('reports a guest that was %s as failed: %s', async (cause, reason) => {
    const { test } = await runningVm();
    test.host.endGuest(vmId, cause);
    await test.run(200);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'failed', reason });
    expect(test.link.latest(vmId)?.message).toContain(cause);
    test.wish(vmId, 2, 'running');
    await test.run(5_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });

  it('reports a domain that somebody removed as failed, and does not bring it back', async () => {
    const { test } = await runningVm();
    test.host.domains.delete(vmId);
    test.host.changed(vmId);
    await test.run(30_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'KILLED_FROM_OUTSIDE',
    });
    expect(test.host.domains.size).toBe(0);
  });

  it('starts what ran when the host went down', async () => {
    const { test } = await runningVm();
    test.host.restart();
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(domainOf(test)?.on).toBe(true);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: true });
  });

  it('does not make a new disk in place of one that was lost', async () => {
    const { test } = await runningVm();
    test.host.restart();
    const folder = test.host.folders.get(vmId);
    if (folder !== undefined) folder.hasDisk = false;
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'STORAGE_UNAVAILABLE',
    });
  });

  it('looks again at everything when the hypervisor is back', async () => {
    const { test } = await runningVm();
    test.host.disconnect();
    test.host.endGuest(vmId, 'guestShutdown');
    await test.run(30_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
    test.host.reconnect();
    await test.run(200);
    expect(test.link.latest(vmId)?.state).toBe('stopped');
  });
});

describe('adopting', () => {
  it('goes on with a running guest, which never notices', async () => {
    const { test } = await runningVm();
    const before = { ...domainOf(test) };
    const seqBefore = test.link.latest(vmId)?.seq ?? 0;
    await test.restartExecutor();
    const taskId = test.launch(testTask(1), 2);
    await test.run(6_000);
    expect(domainOf(test)).toEqual(before);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING']);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: true });
    expect(test.link.latest(vmId)?.seq).toBeGreaterThanOrEqual(seqBefore);
  });

  it('adopts a running guest whose record was lost', async () => {
    const { test } = await runningVm();
    const folder = test.host.folders.get(vmId);
    if (folder !== undefined) folder.record = undefined;
    await test.restartExecutor();
    test.launch(testTask(1), 2);
    await test.run(6_000);
    expect(domainOf(test)?.life).toBe(1);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', guestReady: true });
  });

  it('takes the newer attempt, and ends the older one without touching the VM', async () => {
    const { test, taskId } = await runningVm();
    const second = test.launch(testTask(1), 2);
    await test.run(1_000);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
    expect(test.link.updatesOf(second)).toEqual(['TASK_RUNNING']);
    test.link.kill(taskId);
    await test.run(1_000);
    expect(domainOf(test)?.on).toBe(true);
  });

  it('tells of domains, folders and cards that no task speaks for, and leaves them', async () => {
    const { test } = await runningVm();
    await test.restartExecutor();
    await test.run(61_000);
    expect(test.executor.orphans).toEqual({ domains: [vmId], folders: [vmId], cards: [vmId] });
    expect(domainOf(test)?.on).toBe(true);
  });
});

describe('the process', () => {
  it('ends when it has had nothing to do for long', async () => {
    const { test } = await runningVm();
    let end: string | undefined;
    test.executor.ended.then((why) => {
      end = why;
    });
    await test.run(20 * 60_000);
    expect(end).toBeUndefined();
    test.wish(vmId, 2, 'deleted');
    await test.run(9 * 60_000);
    expect(end).toBeUndefined();
    await test.run(2 * 60_000);
    expect(end).toBe('idle');
  });

  it('leaves the guests alone when the agent shuts it down', async () => {
    const { test } = await runningVm();
    test.link.shutDown();
    expect(await test.executor.ended).toBe('shutdown');
    expect(domainOf(test)?.on).toBe(true);
  });
});
