import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStorageHelper, silentLogger, systemClock } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { testVmId } from '../src/testing.ts';
import { createHeldLeases } from '../src/volumes/held-leases.ts';
import { createSharedVolumes, VOLUMES_MARKER } from '../src/volumes/shared-volumes.ts';
import { createSimulatedVolumes, SimulatedSharedStorage } from '../src/volumes/simulated.ts';
import { describeVolumes } from './volumes-contract.ts';

async function openFolder() {
  const root = await mkdtemp(join(tmpdir(), 'factory-volumes-'));
  const folder = join(root, 'shared');
  const away = join(root, 'away');
  execFileSync('mkdir', [folder]);
  await writeFile(join(folder, VOLUMES_MARKER), '');
  // Leases are watched on this clock; the helpers work in real time.
  const clock = new VirtualClock();
  const helper = createStorageHelper({ clock: systemClock, logger: silentLogger });
  const host = (name: string) =>
    createSharedVolumes({
      ...{ folder, clock, helper, held: createHeldLeases(join(root, name)) },
      allowFolderWrites: async () => undefined,
    });
  return {
    folder,
    hosts: [host('one'), host('two')] as const,
    pass: (durationMs: number) => clock.run(durationMs),
    setAway: async (isAway: boolean) => {
      await (isAway ? rename(folder, away) : rename(away, folder));
    },
    close: async () => {
      helper.close();
      await rm(root, { recursive: true });
    },
  };
}

describeVolumes('on a folder', openFolder);

describeVolumes('simulated', async () => {
  const clock = new VirtualClock();
  const storage = new SimulatedSharedStorage();
  const host = () => createSimulatedVolumes(storage, clock);
  return {
    hosts: [host(), host()],
    pass: (durationMs) => clock.run(durationMs),
    setAway: async (isAway) => {
      storage.trouble = isAway ? 'STORAGE_UNAVAILABLE' : undefined;
    },
    close: async () => undefined,
  };
});

it('a storage that hangs is a reason to wait, and to try again', async () => {
  const harness = await openFolder();
  // Opening a FIFO that nobody writes to blocks, as a file on a hung mount does.
  const volumeId = 'vol_0199000000007000a000000000000001' as never;
  const mount = { volumeId, kind: 'block', tag: 'd', readOnly: false, leaseEpoch: 2 } as const;
  const [host] = harness.hosts;
  host.identify('host-1');
  execFileSync('mkdir', [join(harness.folder, volumeId)]);
  execFileSync('mkfifo', [join(harness.folder, volumeId, 'lease-1.json')]);
  const failure = { reason: 'STORAGE_UNAVAILABLE', isTransient: true };
  await expect(host.prepare(testVmId(1), mount)).rejects.toMatchObject(failure);
  await harness.close();
}, 30_000);

it('a new disk has an empty ext4 file system, and is not made anew', async () => {
  const harness = await openFolder();
  const [host] = harness.hosts;
  host.identify('host-1');
  const volumeId = 'vol_0199000000007000a000000000000001' as never;
  const mount = { volumeId, kind: 'block', tag: 'd', readOnly: false, leaseEpoch: 1 } as const;
  await host.prepare(testVmId(1), mount);
  const kindOf = () => execFileSync('blkid', ['-o', 'value', '-s', 'UUID', host.pathOf(mount)]);
  const uuid = kindOf().toString();
  expect(uuid).not.toBe('');
  await host.prepare(testVmId(1), mount);
  expect(kindOf().toString()).toBe(uuid);
  await harness.close();
});
