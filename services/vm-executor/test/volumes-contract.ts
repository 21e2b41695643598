import type { VolumeId, VolumeMount } from '@factory/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testVmId } from '../src/testing.ts';
import type { VolumePort } from '../src/volumes/port.ts';

/** Two hosts that share storage. */
export interface VolumesHarness {
  readonly hosts: readonly [VolumePort, VolumePort];
  /** Lets so much time pass for those who watch leases. */
  pass(durationMs: number): Promise<void>;
  /** The storage goes away, and comes back. */
  setAway(isAway: boolean): Promise<void>;
  close(): Promise<void>;
}

const [vm, other] = [testVmId(1), testVmId(2)];

function mount(change: Partial<VolumeMount> = {}): VolumeMount {
  return {
    volumeId: 'vol_0199000000007000a000000000000001' as VolumeId,
    kind: 'block',
    tag: 'scratch',
    readOnly: false,
    leaseEpoch: 1,
    sizeGiB: 1,
    ...change,
  };
}

const locked = { reason: 'VOLUME_LOCKED' };

/** What every adapter of the port does alike. */
export function describeVolumes(name: string, open: () => Promise<VolumesHarness>): void {
  describe(`volumes: ${name}`, () => {
    let harness: VolumesHarness;
    let [first, second]: readonly VolumePort[] = [];
    const hosts = (): [VolumePort, VolumePort] => {
      if (first === undefined || second === undefined) throw new Error('no hosts');
      return [first, second];
    };
    beforeEach(async () => {
      harness = await open();
      [first, second] = harness.hosts;
      for (const [index, host] of harness.hosts.entries()) host.identify(`host-${index + 1}`);
    });
    afterEach(() => harness.close());

    it('gives a folder to VMs of several hosts at a time, without a lease', async () => {
      const [one, two] = hosts();
      const folder = mount({ kind: 'directory' });
      for (const host of [one, two, one]) await host.prepare(vm, folder);
      expect(one.pathOf(folder)).toBe(two.pathOf(folder));
      expect(await one.listHeld()).toEqual([]);
      await one.release(vm);
    });

    it('gives a disk to one VM at a time, and to the next once it is given back', async () => {
      const [one, two] = hosts();
      await one.prepare(vm, mount());
      await one.prepare(vm, mount());
      expect(await one.listHeld()).toEqual([{ vmId: vm, volumeId: mount().volumeId, epoch: 1 }]);
      const next = mount({ leaseEpoch: 2 });
      await expect(two.prepare(other, next)).rejects.toMatchObject({
        ...locked,
        isTransient: true,
      });
      await one.release(vm);
      await one.release(vm);
      expect(await one.listHeld()).toEqual([]);
      await two.prepare(other, next);
    });

    it('keeps to the newer number: an earlier one has lost the disk', async () => {
      const [one, two] = hosts();
      await one.prepare(vm, mount());
      // The first host is gone for long, and an operator has said so.
      await expect(two.prepare(other, mount({ leaseEpoch: 2 }))).rejects.toMatchObject(locked);
      await harness.pass(60_000);
      await two.prepare(other, mount({ leaseEpoch: 2 }));
      const [lease] = await one.listHeld().then((all) => (all.length > 0 ? all : [undefined]));
      const held = lease ?? { vmId: vm, volumeId: mount().volumeId, epoch: 1 };
      expect(await one.renew(held)).toBe('lost');
      await expect(one.prepare(vm, mount())).rejects.toMatchObject({ isTransient: false });
    });

    it('is given the same disk anew, and loses nothing by it', async () => {
      const [one] = hosts();
      await one.prepare(vm, mount());
      await one.prepare(vm, mount({ leaseEpoch: 2 }));
      for (const lease of await one.listHeld()) expect(await one.renew(lease)).toBe('held');
      expect((await one.listHeld()).map(({ epoch }) => epoch)).toEqual([2]);
    });

    it('holds a disk for as long as its lease is renewed', async () => {
      const [one, two] = hosts();
      await one.prepare(vm, mount());
      const [held] = await one.listHeld();
      if (held === undefined) throw new Error('no lease');
      for (let round = 0; round < 3; round += 1) {
        await expect(two.prepare(other, mount({ leaseEpoch: 2 }))).rejects.toMatchObject(locked);
        await harness.pass(30_000);
        expect(await one.renew(held)).toBe('held');
      }
    });

    it('fails for a while, and with that reason, when the storage is away', async () => {
      const [one] = hosts();
      await harness.setAway(true);
      for (const kind of ['block', 'directory'] as const) {
        const failure = { reason: 'STORAGE_UNAVAILABLE', isTransient: true };
        await expect(one.prepare(vm, mount({ kind }))).rejects.toMatchObject(failure);
      }
      // Nothing is held yet: a VM that is removed now does not wait for the storage.
      await one.release(vm);
      await harness.setAway(false);
      await one.prepare(vm, mount());
    });
  });
}
