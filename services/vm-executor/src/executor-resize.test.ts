import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const { spec } = testTask(1);
const bigger = { ...spec, vcpus: 2, memoryMiB: 256, diskGiB: 3 };

/** A VM that was stopped by its second wish. */
async function stopped(): Promise<TestHost> {
  const test = new TestHost();
  await test.start();
  test.launch(testTask(1));
  await test.run(10_000);
  test.wish(vmId, 2, 'stopped');
  await test.run(5_000);
  return test;
}

const latest = ({ link }: TestHost) => link.latest(vmId);

describe('a task that the scheduler lets go', () => {
  it('ends, and all of its machine is kept', async () => {
    const test = await stopped();
    const taskId = `${vmId}.1`;
    test.link.say({ type: 'release', taskIds: [taskId] });
    await test.run(1_000);
    const last = test.link.updates.findLast((each) => each.taskId === taskId);
    expect(last).toMatchObject({
      state: 'TASK_FINISHED',
      message: expect.stringMatching('RELEASED:'),
    });
    expect(test.host.folders.get(vmId)?.hasDisk).toBe(true);
    expect(test.executor.records()).toEqual([]);
  });

  it('does not end under a guest that is on, nor when it is another one', async () => {
    const test = await stopped();
    test.link.say({ type: 'release', taskIds: [`${vmId}.7`] });
    test.wish(vmId, 3, 'running');
    await test.run(5_000);
    test.link.say({ type: 'release', taskIds: [`${vmId}.1`] });
    await test.run(5_000);
    expect(test.link.updatesOf(`${vmId}.1`)).toEqual(['TASK_RUNNING']);
    test.wish(vmId, 4, 'stopped');
    await test.run(5_000);
    expect(test.link.updatesOf(`${vmId}.1`)).toEqual(['TASK_RUNNING']);
    expect(latest(test)?.state).toBe('stopped');
  });
});

describe('a machine that is launched again with another size', () => {
  async function resized(desired: 'running' | 'stopped'): Promise<TestHost> {
    const test = await stopped();
    test.link.say({ type: 'release', taskIds: [`${vmId}.1`] });
    await test.run(1_000);
    test.launch(testTask(1, { generation: 3, desired, spec: bigger }), 2);
    await test.run(10_000);
    return test;
  }

  it('has it, and stays off', async () => {
    const test = await resized('stopped');
    expect(latest(test)).toMatchObject({
      state: 'stopped',
      generation: 3,
      applied: { vcpus: 2, memoryMiB: 256, diskGiB: 3 },
    });
    expect(test.host.folders.get(vmId)?.disk).toEqual({ image: 'micro', sizeGiB: 3 });
    expect(test.host.domains.get(vmId)?.plan).toMatchObject({ vcpus: 2, memoryMiB: 256 });
  });

  it('has it before it is powered on, if it was started meanwhile', async () => {
    const test = await resized('running');
    expect(latest(test)).toMatchObject({ state: 'running', applied: { vcpus: 2 } });
    expect(test.host.domains.get(vmId)).toMatchObject({ on: true, plan: { vcpus: 2 } });
  });

  it('keeps the old one, and says why, when its disk can not grow', async () => {
    const test = await stopped();
    test.host.setFailureRate(1);
    test.launch(testTask(1, { generation: 3, desired: 'stopped', spec: bigger }), 2);
    await test.run(10_000);
    expect(latest(test)).toMatchObject({
      state: 'failed',
      reason: 'HYPERVISOR_ERROR',
      generation: 3,
      applied: { vcpus: 1, memoryMiB: 128, diskGiB: 1 },
    });
    test.host.setFailureRate(0);
    test.wish(vmId, 4, 'running');
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ state: 'running', applied: { vcpus: 1 } });
  });
});
