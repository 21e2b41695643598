import type { VolumeId, VolumeMount } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { LeaseRenewal } from './lease-renewal.ts';
import type { HeldLease } from './port.ts';
import { createSimulatedVolumes, SimulatedSharedStorage } from './simulated.ts';

const vmId = testVmId(1);
const volumeId = 'vol_1' as VolumeId;
const disk: VolumeMount = { volumeId, kind: 'block', tag: 'd', readOnly: false, leaseEpoch: 1 };

async function setUp() {
  const clock = new VirtualClock();
  const storage = new SimulatedSharedStorage();
  const volumes = createSimulatedVolumes(storage, clock, 'host-1');
  const other = createSimulatedVolumes(storage, clock, 'host-2');
  await volumes.prepare(vmId, disk);
  let has: readonly VolumeId[] | undefined = [volumeId];
  const lost: HeldLease[] = [];
  const renewal = new LeaseRenewal({
    ...{ clock, logger: silentLogger, volumes, volumesOf: () => has },
    onLost: (lease) => lost.push(lease),
  });
  renewal.start();
  const take = () => other.prepare(testVmId(2), { ...disk, leaseEpoch: 2 });
  const setHas = (now: typeof has): void => {
    has = now;
  };
  return { clock, storage, renewal, lost, take, setHas };
}

describe("the renewal of a host's leases", () => {
  it('keeps a disk for as long as its machine is kept here', async () => {
    const { clock, take, lost } = await setUp();
    await clock.run(600_000);
    await expect(take()).rejects.toMatchObject({ reason: 'VOLUME_LOCKED' });
    expect(lost).toEqual([]);
  });

  it('gives back what was taken from a machine while it was off', async () => {
    const { clock, take, setHas } = await setUp();
    setHas([]);
    await clock.run(20_000);
    await take();
  });

  it('leaves alone what nobody speaks for, until it is dead', async () => {
    const { clock, take, setHas } = await setUp();
    setHas(undefined);
    await clock.run(20_000);
    await expect(take()).rejects.toMatchObject({ reason: 'VOLUME_LOCKED' });
    await clock.run(60_000);
    await take();
  });

  it('tells of a disk that was given to somebody else while the storage was away', async () => {
    const { clock, storage, lost, renewal } = await setUp();
    storage.leases = [
      ...storage.leases,
      { vmId: testVmId(2), volumeId, epoch: 2, holder: 'host-2', renewedAtMs: 0 },
    ];
    await clock.run(20_000);
    expect(lost).toMatchObject([{ vmId, epoch: 1 }]);
    renewal.close();
    await clock.run(60_000);
    expect(lost).toHaveLength(1);
  });
});
