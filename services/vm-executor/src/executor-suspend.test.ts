import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);

async function suspended(): Promise<TestHost> {
  const test = await TestHost.withRunningVm();
  test.wish(vmId, 2, 'suspended');
  await test.run(5_000);
  expect(test.link.latest(vmId)).toMatchObject({ state: 'suspended', generation: 2 });
  return test;
}

const latest = ({ link }: TestHost) => link.latest(vmId);
const domainOf = ({ host }: TestHost) => host.domains.get(vmId);

describe('a machine that is suspended', () => {
  it('goes on from where it was when it is started, as ready as it was', async () => {
    const test = await suspended();
    test.wish(vmId, 3, 'running');
    await test.run(5_000);
    expect(latest(test)).toMatchObject({ state: 'running', generation: 3, guestReady: true });
    expect(domainOf(test)).toMatchObject({ on: true, isSaved: false, life: 1 });
    const states = ['suspending', 'suspended', 'resuming', 'running'];
    expect(test.link.states(vmId).slice(-4)).toEqual(states);
  });

  it('survives executor and host, and is not started by itself', async () => {
    const test = await suspended();
    test.host.restart();
    await test.killExecutor();
    test.launch(testTask(1, { generation: 2, desired: 'suspended' }), 2);
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'suspended', generation: 2 });
    test.wish(vmId, 3, 'running');
    await test.run(5_000);
    expect(latest(test)?.state).toBe('running');
    expect(domainOf(test)?.life).toBe(1);
  });

  it('is off without its memory when it is stopped, and boots then', async () => {
    const test = await suspended();
    test.wish(vmId, 3, 'stopped');
    await test.run(5_000);
    expect(latest(test)).toMatchObject({ state: 'stopped', reason: 'STOPPED_BY_USER' });
    expect(domainOf(test)).toMatchObject({ on: false, isSaved: false });
    test.wish(vmId, 4, 'running');
    await test.run(5_000);
    expect(domainOf(test)).toMatchObject({ on: true, life: 2 });
  });

  it('leaves nothing when it is deleted', async () => {
    const test = await suspended();
    test.wish(vmId, 3, 'deleted');
    await test.run(10_000);
    expect(latest(test)?.state).toBe('deleted');
    expect(test.host.domains.size + test.host.folders.size).toBe(0);
  });

  it('says so when its memory is gone, and boots when it is started', async () => {
    const test = await suspended();
    const domain = domainOf(test);
    if (domain !== undefined) domain.isSaved = false;
    test.host.changed(vmId);
    await test.run(1_000);
    expect(latest(test)).toMatchObject({ state: 'failed', reason: 'MEMORY_LOST' });
    test.wish(vmId, 3, 'running');
    await test.run(5_000);
    expect(latest(test)?.state).toBe('running');
  });
});

describe('a machine that can not be suspended', () => {
  it('runs on, says why, and comes back after a restart of its host', async () => {
    const { spec } = testTask(1);
    const hardware = { gpus: 1 };
    const test = await TestHost.withRunningVm();
    // Its domain has none: what counts here is what the spec says.
    const task = { generation: 2, spec: { ...spec, hardware } };
    test.launch(testTask(1, task), 2);
    await test.run(5_000);
    test.wish(vmId, 3, 'suspended');
    await test.run(5_000);
    expect(latest(test)).toMatchObject({
      state: 'running',
      generation: 3,
      reason: 'CANNOT_SUSPEND',
      message: expect.stringContaining('passed through'),
    });
    expect(domainOf(test)?.on).toBe(true);
    expect(test.executor.records()[0]?.desired).toBe('running');
  });
});

describe('a machine that somebody pauses on its host', () => {
  it('does not show as running, and goes on when it is started', async () => {
    const test = await TestHost.withRunningVm();
    test.host.setPaused(vmId, true);
    await test.run(1_000);
    expect(latest(test)).toMatchObject({ state: 'suspended', reason: 'PAUSED_FROM_OUTSIDE' });
    test.wish(vmId, 2, 'running');
    await test.run(1_000);
    expect(latest(test)).toMatchObject({ state: 'running', generation: 2, reason: null });
    expect(domainOf(test)).toMatchObject({ on: true, isPaused: false, life: 1 });
  });

  it('shows as running again when they let it go on', async () => {
    const test = await TestHost.withRunningVm();
    test.host.setPaused(vmId, true);
    await test.run(1_000);
    test.host.setPaused(vmId, false);
    await test.run(1_000);
    expect(latest(test)).toMatchObject({ state: 'running', reason: null });
  });

  it('goes on when its memory was written to a file at the end of its host', async () => {
    const test = await TestHost.withRunningVm();
    await test.executor.close();
    test.host.suspend(vmId);
    test.host.restart();
    await test.killExecutor();
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(latest(test)?.state).toBe('running');
    expect(domainOf(test)?.life).toBe(1);
  });
});

describe('after a restart of its host', () => {
  it('a machine that is not to come back by itself stays off, and says why', async () => {
    const spec = { ...testTask(1).spec, autostart: false };
    const test = await TestHost.withRunningVm({ spec });
    test.wish(vmId, 2, 'running');
    await test.run(1_000);
    test.host.restart();
    await test.killExecutor();
    test.launch(testTask(1, { generation: 2, spec }), 2);
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'stopped', reason: 'HOST_RESTARTED' });
    test.wish(vmId, 3, 'running');
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'running', reason: null });
  });
});
