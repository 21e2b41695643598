import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkGpu } from './gpus.ts';
import { createSysfsReader } from './sysfs.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'factory-sysfs-'));
});
afterEach(() => rm(root, { recursive: true }));

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), `${text}\n`);
}

async function link(path: string, target: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await symlink(target, join(root, path));
}

const PCI = 'bus/pci/devices';

async function putDevice(address: string, kind: string, driver?: string, group?: number) {
  await put(`${PCI}/${address}/class`, kind);
  await put(`${PCI}/${address}/numa_node`, '1');
  if (driver !== undefined) await link(`${PCI}/${address}/driver`, `/drivers/${driver}`);
  if (group === undefined) return;
  await mkdir(join(root, `groups/${group}/devices/${address}`), { recursive: true });
  await link(`${PCI}/${address}/iommu_group`, `../../../../groups/${group}`);
}

describe('a host as Linux shows it', () => {
  it('has nodes with the CPUs that are online, their cores and huge pages', async () => {
    const cpus = 'devices/system/cpu';
    await put(`${cpus}/online`, '0-2');
    for (const [cpu, core] of [0, 0, 1].entries()) {
      await put(`${cpus}/cpu${cpu}/topology/core_id`, `${core}`);
      await put(`${cpus}/cpu${cpu}/topology/physical_package_id`, '0');
    }
    const nodes = 'devices/system/node';
    await put(`${nodes}/node0/cpulist`, '0-1');
    await put(`${nodes}/node1/cpulist`, '2-3');
    await put(`${nodes}/node1/hugepages/hugepages-2048kB/nr_hugepages`, '512');
    await put(`${nodes}/node1/hugepages/hugepages-2048kB/free_hugepages`, '500');
    await put(`${nodes}/has_cpu`, '0-1');
    const none = { total: 0, free: 0 };
    expect((await createSysfsReader(root).nodes()).toSorted((a, b) => a.node - b.node)).toEqual([
      {
        node: 0,
        cpus: [
          { cpu: 0, core: '0/0' },
          { cpu: 1, core: '0/0' },
        ],
        hugepages: { '2M': none, '1G': none },
      },
      {
        node: 1,
        cpus: [{ cpu: 2, core: '0/1' }],
        hugepages: { '2M': { total: 512, free: 500 }, '1G': none },
      },
    ]);
  });

  it('has one node when its kernel knows of none', async () => {
    await put('devices/system/cpu/online', '0-1');
    const [only, ...others] = await createSysfsReader(root).nodes();
    expect([only?.node, only?.cpus.map(({ cpu }) => cpu), others]).toEqual([0, [0, 1], []]);
  });

  it('shows this machine', async () => {
    const nodes = await createSysfsReader().nodes();
    expect(nodes.flatMap(({ cpus }) => cpus).length).toBeGreaterThan(0);
  });
});

describe('a graphics card', () => {
  const card = '0000:3b:00.0';
  const look = async () => checkGpu(card, await createSysfsReader(root).pciDevice(card));

  it('is passed through with its other functions; bridges stay', async () => {
    await putDevice(card, '0x030000', 'nouveau', 7);
    await putDevice('0000:3b:00.1', '0x040300', 'snd_hda_intel', 7);
    await putDevice('0000:3a:00.0', '0x060400', 'pcieport', 7);
    expect(await look()).toEqual({
      address: card,
      node: 1,
      functions: [card, '0000:3b:00.1'],
    });
  });

  it.each([
    ['that is not there', async () => undefined, /is not there/],
    ['of a host without IOMMU', () => putDevice(card, '0x030000'), /IOMMU is off/],
    [
      'that can not be told from something else of the host',
      async () => {
        await putDevice(card, '0x030000', 'nouveau', 7);
        await putDevice('0000:3c:00.0', '0x010802', 'nvme', 7);
      },
      /shares its IOMMU group 7 with 0000:3c:00\.0 \(nvme\)\. Put it in another slot/,
    ],
  ])('%s is refused, with the reason', async (_what, given, problem) => {
    await given();
    expect(await look()).toMatchObject({ problem: expect.stringMatching(problem) });
  });
});
