import type { VmSpec, VolumeId, VolumeMount } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const volumeId = 'vol_0199000000007000a000000000000001' as VolumeId;
const OTHER_VOLUME = 'vol_0199000000007000a000000000000002' as VolumeId;
const MINUTE_MS = 60_000;

function mount(kind: VolumeMount['kind'], leaseEpoch = 1): VolumeMount {
  return { volumeId, kind, tag: 'scratch', guestPath: '/data', readOnly: false, leaseEpoch };
}

function taskWith(number: number, ...volumes: VolumeMount[]) {
  const task = testTask(number);
  const spec: VmSpec = { ...task.spec, volumes };
  return { ...task, spec };
}

async function started(options = {}): Promise<TestHost> {
  const test = new TestHost(options);
  await test.start();
  return test;
}

const state = (test: TestHost, number: number) => test.link.latest(testVmId(number));

describe('a VM with volumes', () => {
  it('has them when it is powered on, and gives the lease of a disk back when it is deleted', async () => {
    const test = await started();
    const folder = { ...mount('directory'), volumeId: OTHER_VOLUME, tag: 'home' };
    test.launch(taskWith(1, mount('block'), folder));
    await test.run(10_000);
    expect(state(test, 1)?.state).toBe('running');
    const { domains, sharedStorage } = test.host;
    expect(domains.get(testVmId(1))?.plan).toMatchObject({
      volumes: [{ serial: 'scratch' }],
      filesystems: [{ tag: 'home', transport: 'virtiofs' }],
    });
    expect(sharedStorage.leases).toMatchObject([{ vmId: testVmId(1), holder: 'host-1' }]);
    test.wish(testVmId(1), 2, 'deleted');
    await test.run(10_000);
    expect(sharedStorage.leases).toEqual([]);
  });

  it('waits for a disk that another VM has open, says so, and gets it once that is gone', async () => {
    const test = await started();
    test.launch(taskWith(1, mount('block')));
    await test.run(10_000);
    test.launch(taskWith(2, mount('block', 2)));
    test.launch(testTask(3));
    await test.run(2 * MINUTE_MS);
    expect(state(test, 2)).toMatchObject({ state: 'preparing', reason: 'VOLUME_LOCKED' });
    expect(state(test, 3)?.state).toBe('running');
    test.wish(testVmId(1), 2, 'deleted');
    await test.run(MINUTE_MS);
    expect(state(test, 2)).toMatchObject({ state: 'running', reason: null });
  });

  it('waits while the shared storage is away, says so, and does not hold up others', async () => {
    const test = await started();
    test.host.sharedStorage.trouble = 'STORAGE_UNAVAILABLE';
    for (let number = 1; number <= 30; number += 1) {
      test.launch(number % 2 === 0 ? testTask(number) : taskWith(number, mount('directory')));
    }
    await test.run(MINUTE_MS);
    for (let number = 1; number <= 30; number += 1) {
      const expected = number % 2 === 0 ? 'running' : 'preparing';
      expect(state(test, number)?.state).toBe(expected);
    }
    expect(state(test, 1)?.reason).toBe('STORAGE_UNAVAILABLE');
    test.host.sharedStorage.trouble = undefined;
    await test.run(MINUTE_MS);
    expect(test.host.runningVms()).toHaveLength(30);
  });

  it('keeps its disk over the death of its executor', async () => {
    const test = await started();
    test.launch(taskWith(1, mount('block')));
    await test.run(10_000);
    await test.killExecutor();
    test.launch(taskWith(1, mount('block')), 2);
    await test.run(5 * MINUTE_MS);
    expect(state(test, 1)?.state).toBe('running');
    expect(test.host.sharedStorage.leases).toMatchObject([{ vmId: testVmId(1), epoch: 1 }]);
  });

  it('is powered off when its disk was given to somebody else', async () => {
    const test = await started();
    test.launch(taskWith(1, mount('block')));
    await test.run(10_000);
    const { sharedStorage } = test.host;
    const newer = { vmId: testVmId(2), volumeId, epoch: 2, holder: 'host-2', renewedAtMs: 0 };
    sharedStorage.leases = [...sharedStorage.leases, newer];
    await test.run(MINUTE_MS);
    expect(test.host.runningVms()).toEqual([]);
    expect(state(test, 1)?.state).toBe('failed');
  });

  it('leaves a lease that the search for orphans finds, when its task is gone', async () => {
    const test = await started();
    const { sharedStorage } = test.host;
    const lost = { vmId: testVmId(7), volumeId, epoch: 1, holder: 'host-1', renewedAtMs: 0 };
    sharedStorage.leases = [lost];
    await test.run(2 * MINUTE_MS);
    expect(test.executor.orphans.folders).toEqual([testVmId(7)]);
  });
});
