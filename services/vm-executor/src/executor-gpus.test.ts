import type { VmHardware } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';
import { TEST_HARDWARE } from './vm/testing.ts';

const card: VmHardware = { gpus: 1 };

function task(number: number, hardware: VmHardware = card, changes: object = {}) {
  const { spec, ...rest } = testTask(number);
  return { ...rest, spec: { ...spec, hardware }, ...changes };
}

async function started(): Promise<TestHost> {
  const test = new TestHost({ attributes: TEST_HARDWARE });
  await test.start();
  return test;
}

/** Why the task ended, for its host could not give what it offers. */
function sentBack(test: TestHost, taskId: string): string {
  const [update] = test.link.updates.filter((each) => each.taskId === taskId).slice(-1);
  expect(update).toMatchObject({ state: 'TASK_FAILED' });
  expect(update?.message).toMatch(/^GPU_UNAVAILABLE: /);
  return update?.message ?? '';
}

const devicesOf = (test: TestHost, number: number): readonly string[] | undefined =>
  test.host.domains.get(testVmId(number))?.plan.hostDevices;

describe('machines with graphics cards', () => {
  it('have one each, and the next one is sent back to the scheduler', async () => {
    const test = await started();
    for (const number of [1, 2]) test.launch(task(number));
    await test.run(10_000);
    expect([devicesOf(test, 1), devicesOf(test, 2)].flat().toSorted()).toEqual([
      ...['0000:3b:00.0', '0000:af:00.0'],
    ]);
    const third = test.launch(task(3));
    await test.run(10_000);
    expect(sentBack(test, third)).toContain('Held by');
    expect(test.link.states(testVmId(3))).toEqual(['preparing']);
    expect(test.host.folders.has(testVmId(3))).toBe(false);
    test.wish(testVmId(1), 2, 'deleted');
    await test.run(30_000);
    test.launch(task(3), 2);
    await test.run(10_000);
    expect(test.link.latest(testVmId(3))).toMatchObject({ state: 'running' });
    expect([devicesOf(test, 2), devicesOf(test, 3)].flat().toSorted()).toEqual([
      ...['0000:3b:00.0', '0000:af:00.0'],
    ]);
    expect(test.host.hardware.grants.size).toBe(2);
  });

  it('keep theirs while they are off, across executors', async () => {
    const test = await started();
    test.launch(task(1));
    await test.run(10_000);
    const had = devicesOf(test, 1);
    test.wish(testVmId(1), 2, 'stopped');
    await test.run(10_000);
    await test.restartExecutor();
    test.launch(task(1, card, { generation: 2, desired: 'stopped' }), 2);
    test.launch(task(2));
    await test.run(10_000);
    const third = test.launch(task(3));
    await test.run(10_000);
    expect(sentBack(test, third)).toContain('0 of this');
    test.wish(testVmId(1), 3, 'running');
    await test.run(10_000);
    expect(test.link.latest(testVmId(1))).toMatchObject({ state: 'running' });
    expect(devicesOf(test, 1)).toEqual(had);
  });

  it('whose task has ended leave them to others, and are given others when they come back', async () => {
    const test = await started();
    const hungry = { gpus: 2 };
    const taskId = test.launch(task(1, hungry));
    await test.run(10_000);
    test.link.kill(taskId);
    await test.run(40_000);
    expect(test.host.domains.get(testVmId(1))?.on).toBe(false);
    expect(test.host.hardware.grants.has(testVmId(1))).toBe(true);
    test.launch(task(2));
    await test.run(10_000);
    expect(test.link.latest(testVmId(2))).toMatchObject({ state: 'running' });
    test.launch(task(1, hungry, { generation: 2 }), 2);
    await test.run(10_000);
    expect(test.link.latest(testVmId(1))).toMatchObject({ reason: 'GPU_UNAVAILABLE' });
    test.wish(testVmId(2), 2, 'deleted');
    await test.run(30_000);
    expect(test.link.latest(testVmId(1))).toMatchObject({ state: 'running' });
    expect(devicesOf(test, 1)).toHaveLength(2);
  });

  it('that run without a task, or are orphans, hold on to them', async () => {
    const test = await started();
    test.launch(task(1, { gpus: 2 }));
    await test.run(10_000);
    await test.killExecutor();
    const second = test.launch(task(2));
    await test.run(10_000);
    expect(sentBack(test, second)).toContain(`Held by ${testVmId(1)}`);
    expect(test.host.hardware.grants.has(testVmId(1))).toBe(true);
    expect(test.executor.orphans.folders).toContain(testVmId(1));
  });

  it('that their host has not, or not in order, are sent back with that reason and leave nothing', async () => {
    const test = await started();
    test.host.hardware.missing.add('0000:3b:00.0');
    const first = test.launch(task(1, { gpus: 2 }));
    const second = test.launch(task(2, { gpus: 1, gpuModel: 'T4' }));
    await test.run(10_000);
    expect(sentBack(test, first)).toContain('0000:3b:00.0 is not there');
    expect(sentBack(test, second)).toContain('A100, not T4');
    expect([test.host.domains.size, test.host.folders.size]).toEqual([0, 0]);
    expect(test.host.hardware.grants.size).toBe(0);
  });
});

describe('machines with cores of their own', () => {
  const pinned: VmHardware = { cpu: { pinned: true } };
  const cpusOf = (test: TestHost, number: number) =>
    test.host.domains.get(testVmId(number))?.plan.hostCpus;

  it('run beside others, whose vCPUs keep off these cores', async () => {
    const test = await started();
    test.launch(task(1, pinned));
    test.launch(testTask(2));
    await test.run(10_000);
    expect(cpusOf(test, 1)).toEqual([8]);
    expect(test.host.domains.get(testVmId(2))?.plan.sharedCpus).toContain(7);
    expect(test.host.domains.get(testVmId(2))?.plan.sharedCpus).not.toContain(8);
  });

  it('are given as many as their new size has', async () => {
    const test = await started();
    test.launch(task(1, pinned));
    await test.run(10_000);
    test.wish(testVmId(1), 2, 'stopped');
    await test.run(10_000);
    const { spec } = task(1, pinned);
    test.launch(task(1, pinned, { generation: 3, spec: { ...spec, vcpus: 3 } }), 2);
    await test.run(20_000);
    expect(test.link.latest(testVmId(1))).toMatchObject({ state: 'running' });
    expect(cpusOf(test, 1)).toHaveLength(3);
    expect(test.host.hardware.grants.get(testVmId(1))?.cpus).toEqual(cpusOf(test, 1));
  });
});
