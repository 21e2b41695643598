import type { VmSpec, VolumeId, VolumeMount } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TEST_VOLUME as disk, TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const { spec } = testTask(1);
const OTHER_ID = 'vol_0199000000007000a000000000000002' as VolumeId;
const folder: VolumeMount = { ...disk, volumeId: OTHER_ID, kind: 'directory', tag: 'home' };

const running = (...volumes: VolumeMount[]): Promise<TestHost> =>
  TestHost.withRunningVm({ spec: withVolumes(...volumes) });

const withVolumes = (...volumes: VolumeMount[]): VmSpec =>
  volumes.length === 0 ? spec : { ...spec, volumes };

function wish(test: TestHost, generation: number, ...volumes: VolumeMount[]): void {
  const changes = [
    { vmId, generation, desired: 'running' as const, spec: withVolumes(...volumes) },
  ];
  test.link.say({ type: 'setDesired', changes });
}

const plugged = ({ host }: TestHost) => host.domains.get(vmId)?.plugged?.map(nameOf);
const nameOf = (device: object) =>
  'serial' in device ? device.serial : Reflect.get(device, 'tag');
const leases = ({ host }: TestHost) => host.sharedStorage.leases.map((each) => each.volumeId);
const latest = (test: TestHost) => test.link.latest(vmId);

describe('a machine that runs', () => {
  it('is given a disk, under its lease, and it is taken again', async () => {
    const test = await running();
    wish(test, 2, disk);
    await test.run(5_000);
    expect(plugged(test)).toEqual(['data']);
    expect(leases(test)).toEqual([disk.volumeId]);
    expect(latest(test)).toMatchObject({ generation: 2, applied: { volumes: [disk] } });
    expect(test.host.domains.get(vmId)).toMatchObject({
      life: 1,
      plan: { volumes: [{ serial: 'data' }] },
    });
    wish(test, 3);
    await test.run(5_000);
    expect(plugged(test)).toEqual([]);
    expect(leases(test)).toEqual([]);
    expect(latest(test)).toMatchObject({ generation: 3, reason: null, applied: { volumes: [] } });
    expect(test.host.domains.get(vmId)?.plan.volumes ?? []).toEqual([]);
  });

  it('keeps a disk that its guest does not let go, with its lease, and says why', async () => {
    const test = await running(disk);
    test.host.holdsVolumes = true;
    wish(test, 2);
    await test.run(50_000);
    expect(latest(test)).toMatchObject({ generation: 1 });
    await test.run(30_000);
    expect(latest(test)).toMatchObject({
      state: 'running',
      generation: 2,
      reason: 'VOLUME_BUSY',
      message: expect.stringContaining('data'),
      applied: { volumes: [disk] },
    });
    expect(plugged(test)).toEqual(['data']);
    await test.run(60_000);
    expect(leases(test)).toEqual([disk.volumeId]);
    test.host.holdsVolumes = false;
    wish(test, 3);
    await test.run(5_000);
    expect(plugged(test)).toEqual([]);
    expect(latest(test)).toMatchObject({ generation: 3, reason: null });
  });

  it('waits for a disk that another machine has, and gives it up after two minutes', async () => {
    const test = await running();
    const { sharedStorage } = test.host;
    const held = { vmId: testVmId(2), volumeId: disk.volumeId, epoch: 1, holder: 'host-2' };
    const renew = (): void => {
      sharedStorage.leases = [{ ...held, renewedAtMs: test.clock.monotonicMs() }];
    };
    const newer = { ...disk, leaseEpoch: 2 };
    renew();
    wish(test, 2, newer);
    await test.run(10_000);
    expect(latest(test)).toMatchObject({ generation: 1, reason: 'VOLUME_LOCKED' });
    for (let times = 0; times < 15; times += 1) {
      renew();
      await test.run(10_000);
    }
    expect(latest(test)).toMatchObject({
      state: 'running',
      generation: 2,
      reason: 'VOLUME_LOCKED',
      applied: { volumes: [] },
    });
    expect(plugged(test)).toEqual([]);
    expect(sharedStorage.leases).toMatchObject([held]);
  });

  it('is given folders if it was started with one, and else refuses with what to do', async () => {
    const test = await running();
    wish(test, 2, folder);
    await test.run(5_000);
    expect(latest(test)).toMatchObject({
      generation: 2,
      reason: 'CANNOT_ATTACH',
      message: expect.stringContaining('Stop the machine first'),
      applied: { volumes: [] },
    });
    const other = await running(folder);
    const second: VolumeMount = { ...folder, volumeId: disk.volumeId, tag: 'second' };
    wish(other, 2, folder, second);
    await other.run(5_000);
    expect(plugged(other)).toEqual(['home', 'second']);
    expect(latest(other)).toMatchObject({ generation: 2, reason: null });
  });

  it('that is to be off is powered off first, and loses its disk then', async () => {
    const test = await running(disk);
    test.host.holdsVolumes = true;
    const changes = [{ vmId, generation: 2, desired: 'stopped' as const, spec }];
    test.link.say({ type: 'setDesired', changes });
    await test.run(30_000);
    expect(latest(test)).toMatchObject({ state: 'stopped', generation: 2 });
    expect(leases(test)).toEqual([]);
  });

  it('gives a disk back that was being plugged in when its executor died and its user changed his mind', async () => {
    const test = await running();
    test.faults = {
      async at(procedure, step, when) {
        if (`${procedure}/${step}/${when}` !== 'hotPlug/plug/after') return;
        test.gate.shut();
        await new Promise(() => undefined);
      },
    };
    wish(test, 2, disk);
    await test.run(5_000);
    test.faults = { at: async () => undefined };
    await test.killExecutor();
    test.launch(testTask(1, { generation: 3 }), 2);
    await test.run(30_000);
    expect(plugged(test)).toEqual([]);
    expect(leases(test)).toEqual([]);
    expect(latest(test)).toMatchObject({ state: 'running', generation: 3 });
  });
});
