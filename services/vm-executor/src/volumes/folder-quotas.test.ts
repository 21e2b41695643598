import type { VolumeId, VolumeMount } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { FolderQuotas, mayBeWritten } from './folder-quotas.ts';
import { createSimulatedVolumes, SimulatedSharedStorage } from './simulated.ts';

const GIB = 1024 ** 3;
const id = (name: string) => `vol_${name}` as VolumeId;
const folder = (name: string, change: Partial<VolumeMount> = {}): VolumeMount => ({
  ...{ volumeId: id(name), kind: 'directory', tag: name, readOnly: false, leaseEpoch: 1 },
  sizeGiB: 1,
  ...change,
});

describe('the quota of a folder', () => {
  it('refuses writes when more is in it, as measured', () => {
    const mounts = [folder('full'), folder('fits'), folder('fresh'), folder('bare', {})];
    const usage = new Map([
      [id('full'), GIB + 1],
      [id('fits'), GIB],
    ]);
    expect([...mayBeWritten(mounts, usage)]).toEqual([
      [id('full'), false],
      [id('fits'), true],
      [id('fresh'), true],
      [id('bare'), true],
    ]);
  });

  it('is none of a disk, of a folder that is only read, or of one that was given without a size', () => {
    const { sizeGiB: _, ...unlimited } = folder('old');
    const mounts = [folder('disk', { kind: 'block' }), folder('in', { readOnly: true }), unlimited];
    const usage = new Map(mounts.map(({ volumeId }) => [volumeId, 9 * GIB]));
    expect([...mayBeWritten(mounts, usage)]).toEqual([[id('old'), true]]);
  });

  it('is kept over and over, and lifted once there is room again', async () => {
    const clock = new VirtualClock();
    const storage = new SimulatedSharedStorage();
    const volumes = createSimulatedVolumes(storage, clock, 'host-1');
    const mounts = () => [folder('full')];
    const quotas = new FolderQuotas({ clock, logger: silentLogger, volumes, mounts });
    quotas.start();
    await clock.run(11_000);
    expect(storage.refused.size).toBe(0);
    storage.usage = new Map([[id('full'), 2 * GIB]]);
    await clock.run(11_000);
    expect([...storage.refused]).toEqual([id('full')]);
    // Another guest was started, of which nobody knows yet.
    storage.refused.clear();
    await clock.run(11_000);
    expect([...storage.refused]).toEqual([id('full')]);
    storage.usage = new Map([[id('full'), 0]]);
    await clock.run(11_000);
    expect(storage.refused.size).toBe(0);
    quotas.close();
  });
});
