import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const MINUTE_MS = 60_000;

async function started(): Promise<TestHost> {
  const test = new TestHost();
  await test.start();
  return test;
}

function expectNothingLeft(test: TestHost): void {
  expect(test.host.domains.size).toBe(0);
  expect(test.host.folders.size).toBe(0);
  expect(test.host.leases.size).toBe(0);
  expect([...test.host.network.cards(), ...test.host.network.subnetIds()]).toEqual([]);
}

/** Every call of a making that can hang. */
const MAKING_CALLS = [
  'writeRecord',
  'writeLease',
  'createDisk',
  'writeSeed',
  'plug',
  'define',
  'powerOn',
] as const;

describe('a making that hangs', () => {
  it.each(MAKING_CALLS)('in %s is told of at its deadline, and leaves nothing', async (call) => {
    const test = await started();
    test.gate.hold(call);
    const taskId = test.launch(testTask(1));
    await test.run(11 * MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('waiting for'),
    });
    // Something may still come of it: the task lasts for as long.
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING']);
    test.gate.release(call);
    await test.run(MINUTE_MS);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    expectNothingLeft(test);
    await test.run(MINUTE_MS);
    expectNothingLeft(test);
  });

  it.each(MAKING_CALLS)('in %s does not hold a deletion up once it moves', async (call) => {
    const test = await started();
    test.gate.hold(call);
    test.launch(testTask(1));
    await test.run(5_000);
    test.wish(vmId, 2, 'deleted');
    await test.run(1_000);
    expect(test.link.latest(vmId)?.state).toBe('deleting');
    test.gate.release(call);
    await test.run(2_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'deleted', generation: 2 });
    expectNothingLeft(test);
  });

  it('holds nobody else up', async () => {
    const test = await started();
    test.gate.hold('createDisk');
    for (let number = 1; number <= 20; number += 1) test.launch(testTask(number));
    await test.run(1_000);
    for (let number = 1; number <= 20; number += 1) test.wish(testVmId(number), 2, 'deleted');
    await test.run(1_000);
    // Their places are free, although their calls hang.
    const others = new Map([[testVmId(30), testTask(30)]]);
    for (const task of others.values()) test.launch(task);
    test.gate.release('createDisk');
    await test.run(5_000);
    expect(test.host.runningVms()).toEqual([testVmId(30)]);
  });
});

describe('a deletion', () => {
  it('interrupts a making at once between two steps', async () => {
    const test = await started();
    test.launch(testTask(1));
    await test.run(2);
    test.wish(vmId, 2, 'deleted');
    await test.run(500);
    expect(test.link.latest(vmId)?.state).toBe('deleted');
    expect(test.host.runningVms()).toEqual([]);
    expectNothingLeft(test);
  });

  it('of a machine that waits for its turn to be made does not wait', async () => {
    const test = await started();
    test.gate.hold('createDisk');
    for (let number = 1; number <= 16; number += 1) test.launch(testTask(number));
    await test.run(1_000);
    test.launch(testTask(17));
    await test.run(1_000);
    test.wish(testVmId(17), 2, 'deleted');
    await test.run(1_000);
    expect(test.link.latest(testVmId(17))?.state).toBe('deleted');
  });

  it('that hangs is told of past its deadline, and ends when it can', async () => {
    const test = await started();
    const taskId = test.launch(testTask(1));
    await test.run(10_000);
    test.gate.hold('undefine');
    test.wish(vmId, 2, 'deleted');
    await test.run(6 * MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('forget its domain'),
    });
    test.gate.release('undefine');
    await test.run(MINUTE_MS);
    expect(test.link.updatesOf(taskId)).toEqual(['TASK_RUNNING', 'TASK_FINISHED']);
    expectNothingLeft(test);
  });
});

describe('a start that hangs', () => {
  it('is told of at its deadline, and its guest is not powered on twice', async () => {
    const test = await started();
    test.launch(testTask(1));
    await test.run(10_000);
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    test.gate.hold('powerOn');
    test.wish(vmId, 3, 'running');
    await test.run(4 * MINUTE_MS);
    expect(test.link.latest(vmId)).toMatchObject({
      state: 'failed',
      reason: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('power it on'),
    });
    test.gate.release('powerOn');
    await test.run(10_000);
    expect(test.link.latest(vmId)).toMatchObject({ state: 'running', generation: 3 });
    expect(test.host.domains.get(vmId)?.life).toBe(2);
  });
});

describe('a machine that runs', () => {
  it('is not held up by an image that can not be looked up', async () => {
    const test = await started();
    test.launch(testTask(1));
    await test.run(10_000);
    await test.restartExecutor();
    test.gate.hold('findImage');
    test.launch(testTask(1), 2);
    await test.run(1_000);
    test.wish(vmId, 2, 'stopped');
    await test.run(30_000);
    expect(test.link.latest(vmId)?.state).toBe('stopped');
  });
});
