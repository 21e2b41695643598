import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostAttribute, type VmHardware, type VmId } from '@factory/contracts';
import { parseAttributes } from 'mesos-core/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VmFailure } from '../failures.ts';
import { testVmId } from '../testing.ts';
import { createGrantFiles } from './grant-files.ts';
import { createHostHardware } from './host-hardware.ts';
import type { GrantStore, HardwareWish, HostHardware } from './port.ts';
import { SimulatedHardware } from './simulated.ts';

const ATTRIBUTES = parseAttributes(
  'gpu_devices:{0000:3b:00.0,0000:af:00.0};gpu_model:A100;pinned_cpus:[8-15];rack:r1',
).map(hostAttribute);

const [first, second, third] = [1, 2, 3].map(testVmId) as [VmId, VmId, VmId];
const wish = (hardware: VmHardware, vcpus = 2): HardwareWish => ({
  ...{ hardware, vcpus, memoryMiB: 2_048 },
});
const card = wish({ gpus: 1 });
const pinned = wish({ cpu: { pinned: true } });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'factory-hardware-'));
});
afterEach(() => rm(folder, { recursive: true }));

const stores: readonly (readonly [string, () => GrantStore])[] = [
  ['in files', () => createGrantFiles(folder)],
  ['simulated', () => new SimulatedHardware()],
];

describe.each(stores)('the hardware of a host, written down %s', (_kind, createStore) => {
  let reader: SimulatedHardware;
  let grants: GrantStore;
  let hardware: HostHardware;
  const restart = (attributes = ATTRIBUTES): void => {
    hardware = createHostHardware({ reader, grants });
    hardware.identify(attributes);
  };
  beforeEach(() => {
    reader = new SimulatedHardware();
    grants = createStore();
    restart();
  });
  const failure = (given: Promise<unknown>): Promise<unknown> =>
    given.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('goes to one machine each, and to the same when asked again', async () => {
    const all = await Promise.all([
      hardware.assign(first, card),
      hardware.assign(second, card),
      hardware.assign(first, card),
    ]);
    const [a, b, again] = all.map(({ hostDevices }) => hostDevices);
    expect([a, b].flat().toSorted()).toEqual(['0000:3b:00.0', '0000:af:00.0']);
    expect(again).toEqual(a);
    expect((await hardware.listHolders()).toSorted()).toEqual([first, second]);
  });

  it('is remembered by the next executor', async () => {
    const before = await hardware.assign(first, pinned);
    restart();
    const other = await hardware.assign(second, pinned);
    expect(await hardware.assign(first, pinned)).toEqual(before);
    const shared = new Set(before.hostCpus).intersection(new Set(other.hostCpus));
    expect([before.hostCpus?.length, other.hostCpus?.length, shared.size]).toEqual([2, 2, 0]);
  });

  it('is said to be held by others, which may pass', async () => {
    await hardware.assign(first, wish({ gpus: 2 }));
    expect(await failure(hardware.assign(second, card))).toMatchObject({
      reason: 'GPU_UNAVAILABLE',
      isTransient: true,
      message: expect.stringContaining(
        `0 of this host's 2 graphics cards are free, and it needs 1. Held by ${first}.`,
      ),
    });
    await hardware.release(first);
    expect((await hardware.assign(second, card)).hostDevices).toHaveLength(1);
    // Given back twice, and by one that holds nothing.
    await hardware.release(first);
    expect(await hardware.listHolders()).toEqual([second]);
  });

  it('that is more than the host has, or not in order, is refused for good', async () => {
    expect(await failure(hardware.assign(first, wish({ gpus: 3 })))).toMatchObject({
      ...{ reason: 'GPU_UNAVAILABLE', isTransient: false },
      message: expect.stringContaining("Its agent's attribute gpu_devices names 2."),
    });
    reader.missing.add('0000:af:00.0');
    expect((await hardware.assign(first, card)).hostDevices).toEqual(['0000:3b:00.0']);
    expect(await failure(hardware.assign(second, card))).toMatchObject({
      isTransient: true,
      message: expect.stringContaining('0000:af:00.0 is not there'),
    });
    expect(await failure(hardware.assign(third, wish({ gpus: 2 })))).toMatchObject({
      ...{ reason: 'GPU_UNAVAILABLE', isTransient: false },
    });
    expect(await failure(hardware.assign(third, wish({ gpus: 1, gpuModel: 'T4' })))).toMatchObject({
      ...{ reason: 'GPU_UNAVAILABLE', isTransient: false },
      message: "This host's graphics cards are A100, not T4.",
    });
    expect(await failure(hardware.assign(third, wish({ cpu: { pinned: true } }, 9)))).toMatchObject(
      {
        ...{ reason: 'CPUS_UNAVAILABLE', isTransient: false },
      },
    );
    expect(await hardware.listHolders()).toEqual([first]);
  });

  it('is chosen anew when it has gone from the host, or another amount is asked for', async () => {
    await hardware.assign(first, card);
    reader.missing.add('0000:3b:00.0');
    expect((await hardware.assign(first, card)).hostDevices).toEqual(['0000:af:00.0']);
    expect((await hardware.assign(second, pinned)).hostCpus).toHaveLength(2);
    expect(
      (await hardware.assign(second, wish({ cpu: { pinned: true } }, 4))).hostCpus,
    ).toHaveLength(4);
    const fewer = parseAttributes('pinned_cpus:[12-15]').map(hostAttribute);
    restart(fewer);
    expect((await hardware.assign(second, pinned)).hostCpus).toEqual([12, 13]);
  });

  it('keeps cores that are handed out from all others', async () => {
    const shared = Array.from({ length: 64 }, (_, cpu) => cpu).filter((cpu) => cpu < 8 || cpu > 15);
    expect(await hardware.assign(first, wish({}))).toEqual({ sharedCpus: shared });
    expect(await hardware.assign(second, pinned)).toEqual({
      ...{ hostCpus: [8, 9], sharedCpus: shared, memoryNodes: [0] },
    });
    restart([]);
    expect(await hardware.assign(first, wish({}))).toEqual({});
    expect(await failure(hardware.assign(third, pinned))).toBeInstanceOf(VmFailure);
  });

  it('goes to others when who holds it has gone, and not before', async () => {
    await hardware.assign(first, wish({ gpus: 2 }));
    const asked: VmId[] = [];
    const gone = new Set<VmId>();
    hardware.reclaimFrom(async (vmId) => {
      asked.push(vmId);
      return gone.has(vmId);
    });
    await hardware.assign(third, pinned);
    expect(asked).toEqual([]);
    expect(await failure(hardware.assign(second, card))).toBeInstanceOf(VmFailure);
    gone.add(first);
    expect((await hardware.assign(second, card)).hostDevices).toHaveLength(1);
    expect((await hardware.listHolders()).toSorted()).toEqual([second, third]);
  });
});

describe('files that say who holds what', () => {
  it('are one for each machine, and one that can not be read stops the handing out', async () => {
    const hardware = createHostHardware({
      reader: new SimulatedHardware(),
      grants: createGrantFiles(folder),
    });
    hardware.identify(ATTRIBUTES);
    await hardware.assign(first, card);
    const own = join(folder, 'hardware');
    expect(await readdir(own)).toEqual([`${first}.json`]);
    await writeFile(join(own, `${second}.json`), '{}');
    await expect(hardware.assign(third, card)).rejects.toMatchObject({
      code: 'FACTORY_ERR_UNREADABLE_GRANT',
      message: expect.stringContaining(`${second}.json`),
    });
    await hardware.release(second);
    expect((await hardware.assign(third, card)).hostDevices).toEqual(['0000:af:00.0']);
  });
});
