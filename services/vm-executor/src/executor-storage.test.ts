import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const MINUTE_MS = 60_000;
const REASONS = ['IO_ERROR', 'STORAGE_READONLY', 'STORAGE_UNAVAILABLE'] as const;

async function stoppedVm(): Promise<TestHost> {
  const test = await TestHost.withRunningVm();
  test.wish(vmId, 2, 'stopped');
  await test.run(10_000);
  return test;
}

describe('a start while the storage is in trouble', () => {
  it.each([...REASONS, 'DISK_FULL'] as const)(
    'waits, says why, and goes on: %s',
    async (reason) => {
      const test = await stoppedVm();
      test.host.setStorageTrouble(reason);
      test.wish(vmId, 3, 'running');
      await test.run(MINUTE_MS);
      expect(test.link.latest(vmId)?.generation).toBe(2);
      test.host.setStorageTrouble(undefined);
      await test.run(15_000);
      expect(test.link.latest(vmId)).toMatchObject({
        state: 'running',
        reason: null,
        generation: 3,
      });
    },
  );

  it('is told of past its deadline, with its wish open, and goes on when the storage is back', async () => {
    const test = await stoppedVm();
    test.gate.hold('writeSeed');
    test.wish(vmId, 3, 'running');
    await test.run(1_000);
    test.host.setStorageTrouble('IO_ERROR');
    test.gate.release('writeSeed');
    await test.run(4 * MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'failed', reason: 'IO_ERROR' });
    expect(test.link.latest(vmId)?.generation).toBe(2);
    test.host.setStorageTrouble(undefined);
    await test.run(15_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', generation: 3 });
  });
});

describe('a making while the storage is in trouble', () => {
  it.each(REASONS)('waits, says why, and goes on: %s', async (reason) => {
    const test = new TestHost();
    await test.start();
    test.gate.hold('createDisk');
    test.launch(testTask(1));
    await test.run(1_000);
    test.host.setStorageTrouble(reason);
    test.gate.release('createDisk');
    await test.run(MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'preparing', reason });
    test.host.setStorageTrouble(undefined);
    await test.run(20_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', reason: null });
  });

  it('does not wait for room on a full disk', async () => {
    const test = new TestHost();
    await test.start();
    test.gate.hold('createDisk');
    const taskId = test.launch(testTask(1));
    await test.run(1_000);
    test.host.setStorageTrouble('DISK_FULL');
    test.gate.release('createDisk');
    await test.run(5_000);
    test.host.setStorageTrouble(undefined);
    await test.run(20_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'failed', reason: 'DISK_FULL' });
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
  });
});

describe('a launch whose record can not be read for now', () => {
  it('goes on with the machine when it can', async () => {
    const test = await TestHost.withRunningVm();
    await test.restartExecutor();
    test.host.setStorageTrouble('IO_ERROR');
    const taskId = test.launch(testTask(1), 2);
    await test.run(MINUTE_MS);
    expect(test.link.updatesOf(taskId)).toEqual([]);
    test.host.setStorageTrouble(undefined);
    await test.run(15_000);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING']);
    expect(test.link.latest(vmId)?.state).toBe('running');
    expect(test.host.domains.get(vmId)?.life).toBe(1);
  });
});

describe('a guest that QEMU stopped because its disk gave an error', () => {
  it('is not shown as running, and goes on when the disk works again', async () => {
    const test = await TestHost.withRunningVm();
    test.host.setStorageTrouble('IO_ERROR');
    test.host.failDisk(vmId);
    await test.run(MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'IO_ERROR',
      message: expect.stringContaining('stands still'),
    });
    test.host.setStorageTrouble(undefined);
    await test.run(15_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', reason: null });
    expect(test.host.domains.get(vmId)?.life).toBe(1);
  });

  it('can be deleted', async () => {
    const test = await TestHost.withRunningVm();
    test.host.failDisk(vmId);
    await test.run(1_000);
    test.wish(vmId, 2, 'deleted');
    await test.run(5_000);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
  });
});
