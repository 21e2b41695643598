import { describe, expect, it } from 'vitest';
import { TestHost, testOperationId, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const folderOf = (test: TestHost) => test.host.folders.get(vmId);

async function runningVm() {
  const test = new TestHost();
  await test.start();
  const taskId = test.launch(testTask(1));
  await test.run(10_000);
  return { test, taskId };
}

describe('a kill without a wish to delete (an operator, an agent that is drained)', () => {
  it('stops the guest by its power button, keeps everything, and says so', async () => {
    const { test, taskId } = await runningVm();
    test.link.kill(taskId);
    await test.run(5_000);
    expect(test.host.runningVms()).toEqual([]);
    expect(test.host.domains.get(vmId)?.offCause).toBe('guestShutdown');
    expect(folderOf(test)).toMatchObject({ hasDisk: true, hasSeed: true });
    expect(test.host.leases.size).toBe(1);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'stopped',
      reason: 'KILLED_FROM_OUTSIDE',
    });
    expect(test.link.updates.at(-1)).toMatchObject({
      taskId,
      state: 'TASK_KILLED',
      message: expect.stringMatching(/^RELEASED: .*disk is kept/),
    });
  });

  it('of a task that is not here ends the task, and says that nothing is known of its machine', async () => {
    const { test } = await runningVm();
    const taskId = `${testVmId(2)}.3`;
    test.link.kill(taskId);
    await test.run(100);
    const end = {
      taskId,
      state: 'TASK_FAILED',
      message: expect.stringMatching(/^EXECUTOR_LOST: /),
    };
    expect(test.link.updates.at(-1)).toMatchObject(end);
    expect(test.host.runningVms()).toEqual([vmId]);
  });

  it('leaves a machine that its user can start again, with the same disk', async () => {
    const { test, taskId } = await runningVm();
    test.link.kill(taskId);
    await test.run(5_000);
    test.launch(testTask(1, { generation: 2 }), 2);
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
    expect(test.host.domains.get(vmId)?.life).toBe(2);
  });

  it('leaves a machine that a later wish still deletes', async () => {
    const { test, taskId } = await runningVm();
    test.link.kill(taskId);
    await test.run(5_000);
    test.launch(testTask(1, { generation: 2, desired: 'deleted' }), 2);
    await test.run(5_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
    expect(test.host.folders.size + test.host.domains.size + test.host.leases.size).toBe(0);
  });

  it('of a machine that is being made keeps what is there, and the next launch goes on', async () => {
    const test = new TestHost();
    await test.start();
    test.gate.hold('plug');
    const taskId = test.launch(testTask(1));
    await test.run(1_000);
    test.link.kill(taskId);
    test.gate.release('plug');
    await test.run(5_000);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
    expect(folderOf(test)?.hasDisk).toBe(true);
    expect(test.host.runningVms()).toEqual([]);
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
  });

  it('of a machine that has just been powered on, but not said to be, stops it too', async () => {
    const test = new TestHost();
    await test.start();
    test.gate.hold('powerOn');
    const taskId = test.launch(testTask(1));
    await test.run(1_000);
    test.link.kill(taskId);
    test.gate.release('powerOn');
    await test.run(30_000);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
    expect(test.host.runningVms()).toEqual([]);
    expect(folderOf(test)?.hasDisk).toBe(true);
    test.launch(testTask(1, { generation: 2 }), 2);
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
  });

  it('forces a guest off that does not obey', async () => {
    const test = new TestHost({ latency: { guestBootMs: 1e9 } });
    await test.start();
    const taskId = test.launch(testTask(1));
    await test.run(5_000);
    test.link.kill(taskId);
    await test.run(25_000);
    expect(test.host.runningVms()).toEqual([]);
    expect(folderOf(test)?.hasDisk).toBe(true);
  });

  it('gives a restart up', async () => {
    const { test, taskId } = await runningVm();
    const operationId = testOperationId(1);
    test.link.say({ type: 'operate', operations: [{ operationId, vmId, kind: 'reboot' }] });
    await test.run(100);
    test.link.kill(taskId);
    await test.run(10_000);
    expect(test.host.runningVms()).toEqual([]);
    expect(test.link.result(operationId)).toMatchObject({ outcome: 'failed' });
    expect(folderOf(test)?.hasDisk).toBe(true);
  });

  it('becomes a deletion when the wish for it comes while the guest is being stopped', async () => {
    const test = new TestHost({ latency: { guestBootMs: 1e9 } });
    await test.start();
    const taskId = test.launch(testTask(1));
    await test.run(5_000);
    test.link.kill(taskId);
    await test.run(1_000);
    expect(test.link.latest(vmId)?.state).toBe('stopping');
    test.wish(vmId, 2, 'deleted');
    await test.run(1_000);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
    expect(test.host.folders.size).toBe(0);
  });
});

describe('the wish to delete', () => {
  it('is on the disk before anything is removed', async () => {
    const { test } = await runningVm();
    test.gate.hold('powerOff');
    test.wish(vmId, 2, 'deleted');
    await test.run(1_000);
    expect(JSON.parse(folderOf(test)?.durableRecord ?? '')).toMatchObject({
      desired: 'deleted',
      generation: 2,
    });
    expect(folderOf(test)?.hasDisk).toBe(true);
  });
});
